"""The results of a run as values: headline, tables and facts, which the card and the report both render.

results.json -> headline(results), tables(values of a split), training_facts(results) -> Markdown or HTML
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from hf_tasks.core.terminal import seconds
from hf_tasks.metrics import description, higher_is_better, is_score

SPLITS: tuple[Literal["validation", "test"], ...] = ("validation", "test")
"""The splits that can be evaluated; test results outrank those on validation."""
NOT_TABLES = ("intervals", "notes")
"""Keys of a split whose values belong to its other numbers."""


class Interval(NamedTuple):
    """A 95 % confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Table:
    """Cells are strings, numbers, None (not defined), `Interval`, or marked texts of a report."""

    kind = "table"
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    more: int = 0
    """Rows that are left out."""

    @property
    def numeric(self) -> list[bool]:
        """Whether each column holds only numbers and intervals: such a column is aligned to the right."""
        columns = [[row[i] for row in self.rows] for i in range(len(self.columns))]
        return [any(map(_is_numeric, cells)) and all(map(_fits_numbers, cells)) for cells in columns]

    def first(self, most: int) -> "Table":
        """The first `most` rows, and how many more there are."""
        return Table(self.title, self.columns, self.rows[:most], max(0, len(self.rows) - most))


@dataclass(frozen=True)
class Headline:
    """The main score of a run."""

    name: str
    split: str
    n: int
    """Examples of the split."""
    value: float
    interval: Interval | None
    baseline: float | None
    """What the prediction that ignores its input scores, where the run recorded it."""

    @property
    def beats_baseline(self) -> bool | None:
        """None where there is no baseline to compare with."""
        if self.baseline is None:
            return None
        return self.value > self.baseline if higher_is_better(self.name) else self.value < self.baseline


def headline(results: Mapping[str, Any]) -> Headline | None:
    """The first score of the last evaluated split: test, else validation."""
    for split in [split for split in reversed(SPLITS) if split in results]:
        values = results[split]
        name = next((name for name, value in values.items() if is_score(name) and is_number(value)), None)
        if name:
            baseline = (results.get("baseline") or {}).get("parts", {}).get(split, {}).get(name)
            return Headline(name, split, values["n"], values[name], interval_of(values, name), baseline)
    return None


def interval_of(values: Mapping[str, Any], name: str) -> Interval | None:
    """The 95 % interval of a value of a split."""
    found = values.get("intervals", {}).get(name)
    return Interval(*found) if found else None


def tables(values: Mapping[str, Any]) -> Iterator[Table]:
    """The results of one split: first its single numbers, then a table for each metric of labels or types."""
    single = {name: one for name, one in values.items() if name != "n" and (one is None or is_number(one))}
    if single:
        yield _single(single, values)
    for name, several in values.items():
        if isinstance(several, dict) and several and name not in NOT_TABLES:
            yield _nested(name, several)


def _single(single: Mapping[str, Any], values: Mapping[str, Any]) -> Table:
    """One number a row: its 95 % interval if any number has one, and what it means."""
    notes = values.get("notes", {})
    meanings = {name: "; ".join(filter(None, [description(name), str(notes.get(name, ""))])) for name in single}
    if not values.get("intervals"):
        return Table(
            "", ["metric", "value", "what it is"], [[name, one, meanings[name]] for name, one in single.items()]
        )
    rows = [[name, one, interval_of(values, name) or "", meanings[name]] for name, one in single.items()]
    return Table("", ["metric", "value", "95 % interval", "what it is"], rows)


def _nested(name: str, several: Mapping[str, Any]) -> Table:
    """A metric with a dict, or a single value, for each label or type."""
    dicts = [row for row in several.values() if isinstance(row, dict)]
    columns = list(dict.fromkeys(column for row in dicts for column in row)) or ["value"]
    rows = [
        [key, *([row.get(column) for column in columns] if isinstance(row, dict) else [row])]
        for key, row in several.items()
    ]
    return Table(name, ["", *columns], rows)


def signatures(values: Mapping[str, Any]) -> dict[str, str]:
    """The strings among the results of a split: signatures of metrics."""
    return {name: one for name, one in values.items() if isinstance(one, str)}


def training_facts(results: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(name, value) of the training's time, size, speed and memory."""
    values = results.get("training", {})
    if "seconds" in values:
        yield "total time", seconds(values["seconds"])
    if "train_seconds" in values:
        yield "training time", seconds(values["train_seconds"])
    if "parameters" in values:
        trained, total = values["parameters_trained"], values["parameters"]
        share = f" ({trained / total:.2%})" if trained < total else ""
        yield "trained parameters", f"{trained:,} of {total:,}{share}"
    known = {
        "epochs": "epochs", "steps": "steps", "best_step": "best step", "samples_per_second": "features per second",
        "tokens_per_second": "tokens per second", "padding": "share of padding", "precision": "precision",
        "world_size": "processes",
    }  # fmt: skip
    yield from ((text, values[name]) for name, text in known.items() if values.get(name) is not None)
    if "peak_memory_bytes" in values:
        yield "peak memory", f"{values['peak_memory_bytes'] / 1e9:,.2f} GB"
    if "saved_bytes" in values:
        yield "size on disk", f"{values['saved_bytes'] / 1e6:,.1f} MB"


def machine_facts(results: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(name, value) of the energy, the machine and the installed packages."""
    environment, energy = results.get("environment", {}), results.get("energy")
    if energy:
        yield "energy (estimated)", f"{energy['wh']:.3g} Wh at {energy['watts']:g} W, {energy['from']}"
    known = {"accelerator": "accelerator", "processor": "processor", "cpu_count": "cores", "platform": "system"}
    yield from ((text, environment[name]) for name, text in known.items() if environment.get(name) is not None)
    if packages := environment.get("packages", {}):
        yield "packages", ", ".join(f"{name} {version}" for name, version in packages.items())


def is_number(value: Any) -> bool:
    """Whether a value of results.json is a number; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_numeric(cell: Any) -> bool:
    return isinstance(cell, Interval) or is_number(cell) and math.isfinite(cell)


def _fits_numbers(cell: Any) -> bool:
    return _is_numeric(cell) or cell is None or cell == "" or isinstance(cell, float)
