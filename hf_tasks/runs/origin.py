"""Origin: everything that the result of a training depends on, and what of it has changed since."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

IRRELEVANT = {
    "training.output_dir", "training.logging_steps", "training.logging_strategy", "training.logging_first_step",
    "training.report_to", "training.run_name", "training.project", "training.trackio_space_id", "training.log_level",
    "training.dataloader_num_workers", "training.dataloader_prefetch_factor", "training.save_total_limit",
}  # fmt: skip
"""Keys of a recipe that do not influence results."""
ABOUT = ("name", "card", "hub")
"""Sections of a recipe with the name, the description and the repository of a run."""
DATA_FILES = {"data.train", "data.validation", "data.test", "data.data_dir"}
CHECKPOINTS = {"model.name_or_path", "model.decoder_name_or_path", "model.revision"}
"""Keys of a recipe that name files, which are compared by their hashes."""


@dataclass(frozen=True)
class Origin:
    """The inputs of a training: recipe, data, base checkpoint, packages, processes, machine."""

    recipe: Mapping[str, Any]
    """Dotted key -> value, with defaults, without keys that are None."""
    data: Mapping[str, Mapping[str, str]]
    """Split -> file -> SHA-256, in the order of reading; empty before a Hub dataset is loaded."""
    base: Mapping[str, Mapping[str, str]]
    """Key of the recipe with a checkpoint -> file -> SHA-256, with the tokenizer's files."""
    packages: Mapping[str, str]
    """Package -> version."""
    processes: int
    machine: Mapping[str, Any]
    """Processor, accelerator and number of threads, which influence rounding."""

    def changes(self, now: "Origin") -> Iterator[str]:
        """Yield a message for each change that leads to another result."""
        yield from self.recipe_changes(now)
        yield from self.input_changes(now)
        for name in sorted(self.packages.keys() | now.packages.keys()):
            one, other = self.packages.get(name), now.packages.get(name)
            if one != other:
                yield f"{name} was {one or 'not installed'} and is now {other or 'not installed'}"
        if self.processes != now.processes:
            yield f"the number of processes was {self.processes} and is now {now.processes}"

    def recipe_changes(self, now: "Origin") -> Iterator[str]:
        """Yield the keys with another value that influence results, except files that are compared by content."""
        hashed = DATA_FILES if self.data and now.data else set[str]()
        hashed = hashed | (CHECKPOINTS if self.base.keys() == now.base.keys() else set())
        files = {key for key in self.recipe.keys() | now.recipe.keys() if _above(key) in hashed}
        yield from _changed(self.recipe, now.recipe, without=files)

    def input_changes(self, now: "Origin") -> Iterator[str]:
        """Yield the changes of the content of the data and the base checkpoint, if both contents are known."""
        if self.data and now.data and (files := sorted(set(_changed_files(self.data, now.data)))):
            yield f"the data have changed ({', '.join(files)})"
        for key in sorted(self.base.keys() & now.base.keys()):
            one, other = self.base[key], now.base[key]
            if names := sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)):
                yield f"the checkpoint of {key} has changed ({', '.join(names)})"

    def without(self, keys: Iterable[str]) -> "Origin":
        """Return the origin without some keys of the recipe and without the files that they name."""
        varied = set(keys)
        return replace(
            self,
            recipe={key: value for key, value in self.recipe.items() if key not in varied},
            data={} if any(_above(key) in DATA_FILES for key in varied) else self.data,
            base={} if varied & CHECKPOINTS else self.base,
        )

    def about_changes(self, now: "Origin") -> Iterator[str]:
        """Yield the keys with another value that only describe the run."""
        yield from _changed(self.recipe, now.recipe, about=True)

    def machine_changes(self, now: "Origin") -> Iterator[str]:
        """Yield the changes of the machine that can change rounding."""
        for name in sorted(self.machine.keys() & now.machine.keys()):
            if self.machine[name] != now.machine[name]:
                yield f"{name} was {self.machine[name]} and is now {now.machine[name]}"


def _above(key: str) -> str:
    """Return the section and its first key: data.train for data.train.source."""
    return ".".join(key.split(".")[:2])


def _changed(
    before: Mapping[str, Any], now: Mapping[str, Any], *, about: bool = False, without: Iterable[str] = ()
) -> Iterator[str]:
    for key in sorted((before.keys() | now.keys()) - set(without) - IRRELEVANT):
        if (key.split(".")[0] in ABOUT) == about and before.get(key) != now.get(key):
            yield f"{key} was {_shown(before.get(key))} and is now {_shown(now.get(key))}"


def _changed_files(before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yield the files with other contents, or all files of a split if only their order has changed."""
    for split in before.keys() | now.keys():
        one, other = before.get(split, {}), now.get(split, {})
        if _contents(one) == _contents(other):
            continue
        both = set(one.values()) & set(other.values())
        differing = [name for name, digest in (*one.items(), *other.items()) if digest not in both]
        yield from differing or [*one, *other]


def _contents(files: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (ending, hash) of the files in order; the ending selects the reader."""
    return [(Path(name.partition("@")[0]).suffix, digest) for name, digest in files.items()]


def _shown(value: Any) -> str:
    return "not given" if value is None else json.dumps(value, ensure_ascii=False)
