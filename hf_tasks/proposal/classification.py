"""Which columns are the text and the label, and what kind of label it is."""

from collections import Counter
from collections.abc import Sequence

from hf_tasks.errors import DataError
from hf_tasks.proposal.finding import Finding
from hf_tasks.proposal.names import LABELS, PAIRS, SCORES, TEXTS, named
from hf_tasks.proposal.profile import MOST_LABELS, Column

Columns = dict[str, Column]
SEPARATORS = ("|", ";", ",")
SCALE = 20
"""Whole numbers of more different values than this are a scale, not labels."""


def classification(columns: Columns, where: str) -> Finding | None:
    """One label, several, or a number for a text or a pair; None where a text or a label is not there."""
    texts = {name: column for name, column in columns.items() if column.kind == "text"}
    read = _texts(texts, columns)
    if not read:
        return None
    rest = {name: column for name, column in columns.items() if name not in read.values()}
    found = _several(rest) or _flags(rest) or _one(rest, where)
    if not found:
        return None
    target, told, kind, alternatives, keys = found
    pair = "pairs of texts, " if "text_pair" in read else ""
    used = {*read.values(), *target.values()}
    others = [name for name in texts if name not in used and not pair]
    if others:
        alternatives += (f"other texts: {', '.join(others[:5])}; columns: {{text_pair: NAME}} reads one of them too",)
    return Finding("text-classification", pair + kind, told, read | target, keys, alternatives)


Found = tuple[dict[str, str | tuple[str, ...]], str, str, tuple[str, ...], dict[str, str]]
"""The target's column, the reason, the kind, alternatives, other keys of the task."""


def _texts(texts: Columns, columns: Columns) -> dict[str, str | tuple[str, ...]]:
    lower = {name.lower(): name for name in columns}
    for first, second in PAIRS:
        both = [lower[name] for name in (first, second) if name in lower]
        if len(both) == 2 and any(name in texts for name in both) and not _is_label(columns[both[1]]):
            return {"text": both[0], "text_pair": both[1]}
    chosen = named(texts, TEXTS) or max(texts, key=lambda name: texts[name].words, default=None)
    return {"text": chosen} if chosen else {}


def _is_label(column: Column) -> bool:
    return column.kind in ("label", "number", "constant", "empty")


def _several(columns: Columns) -> Found | None:
    """Lists of labels, or labels with a mark between them."""
    lists = {name: column for name, column in columns.items() if column.kind in ("list", "numbers")}
    if name := named(lists, LABELS) or next(iter(lists), None):
        several = Counter(str(label) for value in lists[name].values for label in value)
        return {"labels": name}, f'the column "{name}" has lists of {len(several)} different labels', _MULTI, (), {}
    for name, column in columns.items():
        likely = name.lower() in LABELS
        for mark in SEPARATORS if likely else SEPARATORS[:2]:
            if column.kind in ("label", "text", "identifier") and _separated(column, mark):
                told = f'the column "{name}" has labels with "{mark}" between them'
                other = f"if each text is one label: columns: {{label: {name}}}, without label_separator"
                return {"labels": name}, told, _MULTI, (other,), {"label_separator": mark}
    return None


_MULTI = "any of several labels"


def _separated(column: Column, mark: str) -> bool:
    """Whether the parts between marks come again and again, and alone too."""
    texts = [str(value) for value in column.values]
    with_mark = sum(mark in text for text in texts)
    parts = Counter(part.strip() for text in texts for part in text.split(mark))
    few = len(parts) <= min(MOST_LABELS, max(2, 0.2 * len(texts) + 5)) and len(parts) < len(column.counts)
    return with_mark > 0.05 * len(texts) and few and all(len(part.split()) <= 3 for part in parts)


def _flags(columns: Columns) -> Found | None:
    """One column of 0 and 1 a label."""
    flags = [name for name, column in columns.items() if column.flags and name.lower() not in LABELS]
    if len(flags) < 2 or named(columns, LABELS):
        return None
    told = f"{len(flags)} columns hold 0 or 1: {', '.join(flags[:8])}{' ...' if len(flags) > 8 else ''}"
    other = f"if one of them is the label: columns: {{label: {flags[0]}}}"
    return {"labels": tuple(flags)}, told, _MULTI, (other,), {}


def _one(columns: Columns, where: str) -> Found | None:
    candidates = {name: column for name, column in columns.items() if column.kind in ("label", "number")}
    called = {name: column for name, column in columns.items() if column.kind not in ("empty", "constant")}
    name = named(candidates, LABELS)
    if not name and (wrong := named(called, LABELS)):
        raise DataError(_no_label(columns[wrong], where))
    if not name and (wrong := named({n: c for n, c in columns.items() if c.kind == "constant"}, LABELS)):
        value = next(iter(columns[wrong].counts))
        raise DataError(f'{where}: the column "{wrong}" has one value only, {value}; two labels are needed to learn')
    name = name or _likeliest(candidates)
    if not name:
        return None
    others = [f"{other} ({len(candidates[other].counts)} values)" for other in candidates if other != name]
    rivals = (f"other columns that could be the label: {', '.join(others[:5])}",) if others else ()
    return _number_or_label(candidates[name], rivals)


def _likeliest(candidates: Columns) -> str | None:
    """The column of labels with the fewest values; else the last of the numbers."""
    labels = {name: column for name, column in candidates.items() if column.kind == "label"}
    if labels:
        return min(labels, key=lambda name: len(labels[name].counts))
    return [*candidates][-1] if candidates else None


def _number_or_label(column: Column, rivals: Sequence[str]) -> Found:
    name, different = column.name, len(column.counts)
    scored = name.lower() in SCORES and any("." in text for text in column.counts)
    if column.kind == "number" and (not column.integers or scored or different > SCALE):
        told = f'the column "{name}" has numbers, {_range(column)}'
        other = f"if the numbers are classes: columns: {{label: {name}}}"
        return {"score": name}, told, "a number", (other, *rivals), {}
    told = f'the column "{name}" has {different} different values'
    scale = column.kind == "number" and different > 2
    others = (f"if the numbers are a scale: columns: {{score: {name}}} predicts a number",) if scale else ()
    if sorted(column.counts) == [str(number) for number in range(different)]:
        others = ("the labels are numbers; to name them, in their order: labels: [NAME, NAME ...]", *others)
    return (
        {"label": name},
        told,
        "one of two labels" if different == 2 else "one label of several",
        (*others, *rivals),
        {},
    )


def _range(column: Column) -> str:
    numbers = [float(text) for text in column.counts]
    return f"{min(numbers):g} to {max(numbers):g}"


def _no_label(column: Column, where: str) -> str:
    n = len(column.values)
    if len(column.counts) == n:
        return f'{where}: the column "{column.name}" has a different value in each of {n} rows; labels must come again'
    told = f'the column "{column.name}" has {len(column.counts)} different values in {n} rows'
    return f"{where}: {told}, too many for labels; name another column label"
