"""What decides the weights that a training ends with, and what of it has changed since."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

NO_MATTER = {
    "training.output_dir", "training.logging_steps", "training.logging_strategy", "training.logging_first_step",
    "training.report_to", "training.run_name", "training.project", "training.trackio_space_id", "training.log_level",
    "training.dataloader_num_workers", "training.dataloader_prefetch_factor", "training.save_total_limit",
}  # fmt: skip
"""Keys of a recipe that no result depends on."""
ABOUT = ("name", "card", "hub")
"""Sections of a recipe that say what a run is called, how it is described, and where it is pushed."""
DATA_FILES = {"data.train", "data.validation", "data.test", "data.data_dir"}
CHECKPOINTS = {"model.name_or_path", "model.decoder_name_or_path", "model.revision"}
"""Keys of a recipe that name files, which are compared by their hashes."""


@dataclass(frozen=True)
class Origin:
    """What a training was begun with."""

    recipe: Mapping[str, Any]
    """Every key with its value, dotted, the defaults too; keys without a value are left out."""
    data: Mapping[str, Mapping[str, str]]
    """For each split the SHA-256 of each file, in the order in which they are read; empty before a dataset of the Hub
    is loaded."""
    base: Mapping[str, Mapping[str, str]]
    """For each key of the recipe that names a checkpoint the SHA-256 of each of its files, the tokenizer's too."""
    packages: Mapping[str, str]
    """The versions of the libraries that compute."""
    processes: int
    machine: Mapping[str, Any]
    """What may round differently: processor, accelerator, number of threads."""

    def changes(self, now: "Origin") -> Iterator[str]:
        """What another result would come from, one thing each, in words."""
        yield from self.recipe_changes(now)
        yield from self.input_changes(now)
        for name in sorted(self.packages.keys() | now.packages.keys()):
            one, other = self.packages.get(name), now.packages.get(name)
            if one != other:
                yield f"{name} was {one or 'not installed'} and is now {other or 'not installed'}"
        if self.processes != now.processes:
            yield f"it was begun with {self.processes} processes and is now started with {now.processes}"

    def recipe_changes(self, now: "Origin") -> Iterator[str]:
        """The keys that matter and have another value; those of files that are compared by content are left out."""
        hashed = DATA_FILES if self.data and now.data else set[str]()
        hashed = hashed | (CHECKPOINTS if self.base.keys() == now.base.keys() else set())
        files = {key for key in self.recipe.keys() | now.recipe.keys() if _above(key) in hashed}
        yield from _changed(self.recipe, now.recipe, without=files)

    def input_changes(self, now: "Origin") -> Iterator[str]:
        """The data and the base checkpoint, compared by content, where both are known."""
        if self.data and now.data and (files := sorted(set(_changed_files(self.data, now.data)))):
            yield f"the data have changed ({', '.join(files)})"
        for key in sorted(self.base.keys() & now.base.keys()):
            one, other = self.base[key], now.base[key]
            if names := sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)):
                yield f"the checkpoint of {key} has changed ({', '.join(names)})"

    def without(self, keys: Iterable[str]) -> "Origin":
        """The origin without some keys of the recipe, and without what they name."""
        varied = set(keys)
        return replace(
            self,
            recipe={key: value for key, value in self.recipe.items() if key not in varied},
            data={} if any(_above(key) in DATA_FILES for key in varied) else self.data,
            base={} if varied & CHECKPOINTS else self.base,
        )

    def about_changes(self, now: "Origin") -> Iterator[str]:
        """The keys that only describe the run and have another value."""
        yield from _changed(self.recipe, now.recipe, about=True)

    def machine_changes(self, now: "Origin") -> Iterator[str]:
        """What may round differently now."""
        for name in sorted(self.machine.keys() & now.machine.keys()):
            if self.machine[name] != now.machine[name]:
                yield f"{name} was {self.machine[name]} and is now {now.machine[name]}"


def _above(key: str) -> str:
    """The section and the first key in it: data.train of data.train.source."""
    return ".".join(key.split(".")[:2])


def _changed(
    before: Mapping[str, Any], now: Mapping[str, Any], *, about: bool = False, without: Iterable[str] = ()
) -> Iterator[str]:
    for key in sorted((before.keys() | now.keys()) - set(without) - NO_MATTER):
        if (key.split(".")[0] in ABOUT) == about and before.get(key) != now.get(key):
            yield f"{key} was {_shown(before.get(key))} and is now {_shown(now.get(key))}"


def _changed_files(before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """The files of splits whose contents differ; all files of a split where only their order does."""
    for split in before.keys() | now.keys():
        one, other = before.get(split, {}), now.get(split, {})
        if _contents(one) == _contents(other):
            continue
        both = set(one.values()) & set(other.values())
        differing = [name for name, digest in (*one.items(), *other.items()) if digest not in both]
        yield from differing or [*one, *other]


def _contents(files: Mapping[str, str]) -> list[tuple[str, str]]:
    """What the rows depend on: contents in their order, and the endings of the names, which choose the reader."""
    return [(Path(name.partition("@")[0]).suffix, digest) for name, digest in files.items()]


def _shown(value: Any) -> str:
    return "not given" if value is None else json.dumps(value, ensure_ascii=False)
