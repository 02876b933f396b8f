"""Detect text classification and regression: the columns of the text and the label, and the type of label."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from hf_tasks.recipe.init.columns import LABELS, MOST_LABELS, PAIRS, SCORES, TEXTS, Column, Columns, name_words, named
from hf_tasks.recipe.init.detection import Detection, Names, Wishes
from hf_tasks.tasks.types import RawRow

SEPARATORS = ("|", ";", ",")
SCALE = 20
"""Integers with more different values than this are a scale, not labels."""
MULTI_LABEL = "several labels for each text"
_METADATA = {
    "genre", "filename", "file", "year", "date", "source", "split", "set", "length", "count", "language", "lang",
    "domain", "speaker", "author", "user", "name", "city", "country", "product", "brand", "version", "confidence",
}  # fmt: skip
"""Words in the names of columns with metadata, which are rarely labels."""
_COUNTED = re.compile(r"(.+?)[ _.-]?([12]|[abAB])")
_CODE = re.compile(r"(?=.*[A-Za-z])(?=.*\d)\S+")
_YEAR = re.compile(r"(19|20)\d\d")


def classification(rows: Sequence[RawRow], columns: Columns, wishes: Wishes) -> list[Detection]:
    """Return a detection for every column, or group of columns, that can be the target of a text or text pair."""
    inputs: Names = {**_inputs(columns, wishes)}
    if not inputs:
        return []
    rest = {name: column for name, column in columns.items() if name not in inputs.values()}
    if wishes.label:
        rest = {wishes.label: columns[wishes.label]}
    else:
        votes = _votes(rows, rest)
        rest = {name: column for name, column in rest.items() if name not in votes}
    found = [*_lists(rest), *_separated(rest), *_flags(rest), *_single(rest)]
    pairs = "pairs of texts, " if "text_pair" in inputs else ""
    return [one.with_inputs(inputs, pairs) for one in found]


def label_problem(columns: Columns) -> str | None:
    """Return why the column that is named like a label cannot be one, or None."""
    name = named({name: c for name, c in columns.items() if c.kind != "empty"}, LABELS)
    if name is None:
        return None
    column, n = columns[name], len(columns[name].values)
    if column.kind == "constant":
        return f'the column "{name}" has only one value, {column.values[0]}; training needs at least two labels'
    if len(column.counts) == n:
        return f'the column "{name}" has a different value in each of {n} rows; labels must repeat'
    return f'the column "{name}" has {len(column.counts)} different values in {n} rows, too many for labels'


# -- inputs


def _inputs(columns: Columns, wishes: Wishes) -> dict[str, str]:
    """Return {"text": column}, with "text_pair" for pairs; {} if no column holds texts."""
    texts = {name: column for name, column in columns.items() if column.kind == "text" and name != wishes.label}
    if not texts:
        short = {name: c for name, c in columns.items() if c.kind in ("label", "identifier") and name != wishes.label}
        texts = {name: short[name]} if (name := named(short, TEXTS)) else {}
    if wishes.text or wishes.pair:
        others = {name: column for name, column in texts.items() if name != wishes.pair}
        text = wishes.text or max(others, key=lambda name: text_score(columns[name]), default=None)
        pair = {"text_pair": wishes.pair} if wishes.pair else {}
        return {"text": text} | pair if text else {}
    if both := _pair(texts, columns):
        return both
    return {"text": max(texts, key=lambda name: text_score(texts[name]))} if texts else {}


def _pair(texts: Columns, columns: Columns) -> dict[str, str] | None:
    for first, second in PAIRS:
        both = [name for word in (first, second) if (name := named(columns, (word,)))]
        if len(both) == 2 and any(name in texts for name in both) and columns[both[1]].kind in ("text", "identifier"):
            return {"text": both[0], "text_pair": both[1]}
    stems: dict[str, list[str]] = {}
    for name in texts:
        if match := _COUNTED.fullmatch(name):
            stems.setdefault(match[1].lower(), []).append(name)
    both = next((names for names in stems.values() if len(names) == 2), list[str]())
    without_names = all(name.startswith("column_") for name in columns)
    if not both and len(texts) == 2 and without_names and _alike(*texts.values()):
        both = list(texts)
    return {"text": both[0], "text_pair": both[1]} if both else None


def _alike(one: Column, other: Column) -> bool:
    """Whether the texts of two columns have similar lengths."""
    return max(one.words, other.words) < 2 * min(one.words, other.words)


def text_score(column: Column) -> float:
    """Score how much a column looks like the text, from its length and name."""
    exact = named([column.name], TEXTS)
    alike = 0.7 * any(word in TEXTS for word in name_words(column.name))
    rank = next((i for i, word in enumerate(TEXTS) if exact and word == column.name.rpartition(".")[2].lower()), 0)
    return math.log1p(column.words) + (2 - rank / 25 if exact else alike)


# -- targets


def _votes(rows: Sequence[RawRow], columns: Columns) -> set[str]:
    """Return the columns with votes of annotators, if another column holds their majority or a gold label."""
    votes = set()
    labels = [name for name, column in columns.items() if column.kind in ("label", "number") and column.few]
    for gold in labels:
        values = set(columns[gold].counts)
        alike = [name for name in labels if name != gold and len(values | set(columns[name].counts)) <= len(values) + 1]
        if len(alike) > 1 and _agreement(rows, gold, alike) > 0.75 and name_score(gold) > max(map(name_score, alike)):
            votes |= set(alike)
        for name, column in columns.items():
            if column.kind in ("list", "numbers") and _repeats(column) and _contains(rows, name, gold):
                votes.add(name)
    return votes


def _agreement(rows: Sequence[RawRow], gold: str, votes: Sequence[str]) -> float:
    """Return the share of rows in which the gold label is one of the most frequent votes."""
    agreed = 0
    for row in rows:
        counts = Counter(str(row.get(name)) for name in votes)
        agreed += counts[str(row.get(gold))] == max(counts.values())
    return agreed / len(rows)


def _repeats(column: Column) -> bool:
    lists = [list(map(str, value)) for value in column.values if isinstance(value, list)]
    return sum(len(set(value)) < len(value) for value in lists) > 0.05 * len(lists)


def _contains(rows: Sequence[RawRow], votes: str, gold: str) -> bool:
    both = [(row[votes], row[gold]) for row in rows if isinstance(row.get(votes), list) and row.get(gold) is not None]
    return sum(str(label) in map(str, several) for several, label in both) > 0.5 * len(both)


def _lists(columns: Columns) -> Iterator[Detection]:
    for name, column in columns.items():
        if column.kind in ("list", "numbers"):
            several = Counter(str(label) for value in column.values if isinstance(value, list) for label in value)
            if 1 < len(several) <= max(2, several.total() / 2):
                reason = f'the column "{name}" has lists of {len(several)} different labels'
                yield _target({"labels": name}, MULTI_LABEL, reason, 4 + name_score(name) / 2)


def _separated(columns: Columns) -> Iterator[Detection]:
    for name, column in columns.items():
        codes = not any(" " in text for text in column.counts)
        for separator in SEPARATORS if codes or named([name], LABELS) else SEPARATORS[:2]:
            if column.kind in ("label", "text", "identifier") and _is_separated(column, separator):
                reason = f'the column "{name}" has labels separated by "{separator}"'
                other = f"if each value is one label: columns: {{label: {name}}}, without label_separator"
                keys = {"label_separator": separator}
                yield _target({"labels": name}, MULTI_LABEL, reason, 5.5 + name_score(name) / 2, (other,), keys)
                break


def _is_separated(column: Column, separator: str) -> bool:
    """Whether the values are several labels with a separator: these labels are few, short and repeated."""
    texts = [str(value) for value in column.values]
    labels = Counter(label.strip() for text in texts for label in text.split(separator))
    few = len(labels) <= min(MOST_LABELS, max(2, 0.2 * len(texts) + 5)) and len(labels) < len(column.counts)
    common = sum(separator in text for text in texts) > 0.05 * len(texts)
    return common and few and all(len(label.split()) <= 3 for label in labels)


def _flags(columns: Columns) -> Iterator[Detection]:
    """Detect a column of 0 and 1 for each label."""
    flags = [name for name, column in columns.items() if column.flags and not named([name], LABELS)]
    if len(flags) > 1:
        reason = f"{len(flags)} columns hold 0 or 1: {', '.join(flags[:8])}{' ...' if len(flags) > 8 else ''}"
        other = f"if one of them is the label: columns: {{label: {flags[0]}}}"
        score = 2.5 if named(columns, LABELS) else 4.5
        yield _target({"labels": tuple(flags)}, MULTI_LABEL, reason, score, (other,))


def _single(columns: Columns) -> Iterator[Detection]:
    last = list(columns)[-1] if columns else ""
    for name, column in columns.items():
        different = len(column.counts)
        if column.kind not in ("label", "number") or different < 2 or _is_split(column):
            continue
        score = (
            2 + name_score(name) + 0.3 * (column.kind == "label") + 0.3 * (different <= SCALE) + 0.1 * (name == last)
        )
        if name.startswith("column_"):  # nameless: of two columns, numbers are more often the label than codes
            score += 0.5 * column.flags - 0.5 * all(map(_CODE.fullmatch, column.counts))
        score -= 1.5 * all(map(_YEAR.fullmatch, column.counts)) + 0.5 * (different > SCALE and column.integers)
        yield _single_target(column, score)


def _single_target(column: Column, score: float) -> Detection:
    name, different = column.name, len(column.counts)
    scored = bool(named([name], SCORES)) and any("." in text for text in column.counts)
    if column.kind == "number" and (not column.integers or scored or different > SCALE):
        numbers = [float(text) for text in column.counts]
        reason = f'the column "{name}" has numbers from {min(numbers):g} to {max(numbers):g}'
        other = f"if the numbers are classes: columns: {{label: {name}}}"
        return _target({"score": name}, "a number", reason, score, (other,))
    reason = f'the column "{name}" has {different} different values'
    others: tuple[str, ...] = ()
    if column.kind == "number" and different > 2:
        others = (f"if the numbers are a scale: columns: {{score: {name}}} predicts a number",)
    if sorted(column.counts) == [str(number) for number in range(different)]:
        others = ("the labels are ids; to give them names, in this order: labels: [NAME, NAME ...]", *others)
    kind = "one of two labels" if different == 2 else f"one of {different} labels"
    return _target({"label": name}, kind, reason, score, others)


def _is_split(column: Column) -> bool:
    return {value.lower() for value in column.counts} <= {"train", "test", "dev", "trial", "valid", "validation"}


def name_score(name: str) -> float:
    """Score how much a column's name looks like that of a label: 2 to 3 for a usual name, 1.5 for a word in it."""
    last = name.rpartition(".")[2].lower()
    if last in LABELS:
        return 3 - LABELS.index(last) / len(LABELS) - 1.5 * (last in _METADATA)
    found = set(name_words(name))
    return 1.5 * bool(found & set(LABELS)) + 0.4 * ("is" in found) - 1.5 * bool(found & _METADATA)


def _target(
    columns: dict[str, str | tuple[str, ...]], kind: str, reason: str, score: float, alternatives: tuple[str, ...] = (),
    keys: dict[str, str] | None = None,
) -> Detection:  # fmt: skip
    return Detection("text-classification", kind, reason, columns, keys or {}, alternatives, score)
