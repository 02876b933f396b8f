"""From the columns of a file to a task: by their names where these are usual, else by what they hold."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from statistics import mean, median

from hf_tasks.errors import DataError
from hf_tasks.proposal.classification import classification
from hf_tasks.proposal.finding import Finding
from hf_tasks.proposal.languages import NAMES, language_of, words
from hf_tasks.proposal.names import TARGETS, TEXTS, named
from hf_tasks.proposal.profile import Column
from hf_tasks.proposal.tagging import tagging
from hf_tasks.tasks.examples import Row

Columns = dict[str, Column]
Names = dict[str, str | tuple[str, ...]]

MUCH_SHORTER = 0.5
"""A target of less than this share of its source's words summarises it."""
ALIKE = 0.6
"""Share of characters that source and target have in common, above which one is a mended form of the other."""
STRONG_LABELS = ("label", "labels", "score", "rating", "stars", "sentiment", "category", "class")


def recognise(rows: Sequence[Row], columns: Columns, languages: tuple[str | None, ...], where: str) -> Finding:
    """The task of rows; `languages` are the endings of parallel files. Raises DataError where there is none."""
    if languages:
        return _parallel(rows, languages)
    found = (
        tagging(columns)
        or _of_languages(columns)
        or _question_answering(columns)
        or _text_to_text(rows, columns)
        or classification(columns, where)
        or _two_texts(rows, columns)
    )
    if not found:
        raise DataError(nothing_to_learn(columns, where))
    return found


def nothing_to_learn(columns: Columns, where: str) -> str:
    """Why there is no task in the columns; what to do."""
    shown = ", ".join(column.example() for column in list(columns.values())[:12])
    if len(columns) == 1:
        return f"{where}: there is one column only, {shown}; add one with the labels, or a target text"
    if word := named(columns, ("word", "token")):
        return (
            f'{where}: the column "{word}" has a word in each row; write sentences: CoNLL, or lists of tokens and tags'
        )
    if not any(column.kind == "text" for column in columns.values()):
        return f"{where}: no column holds texts; there are {shown}; add one, or call it text"
    return f"{where}: no column can be a label; there are {shown}; add one, or call it label"


def _parallel(rows: Sequence[Row], languages: tuple[str | None, ...]) -> Finding:
    pairs = [(str(row["source"]), str(row["target"][0])) for row in rows]
    source, target = languages[0], languages[1]
    columns: dict[str, str | tuple[str, ...]] = {"source": "source", "target": "target"}
    if source and target and source != target:
        names = f"{NAMES[source]} to {NAMES[target]}"
        keys = {"source_language": source, "target_language": target}
        return Finding("translation", names, f"parallel files end in .{source} and .{target}", columns, keys)
    return _by_lengths(pairs, columns, "parallel files")


def _of_languages(columns: Columns) -> Finding | None:
    """A dict of languages, or a column for each of two."""
    for column in columns.values():
        if column.kind == "languages" and set(column.values[0]) <= NAMES.keys():
            source, target = sorted(column.values[0], key=lambda code: (code != "en", code))[:2]
            keys = {"source_language": source, "target_language": target}
            reason = f'the column "{column.name}" has texts in {", ".join(column.values[0])}'
            names = f"{NAMES[source]} to {NAMES[target]}"
            other = f"the other way: source_language: {target}, target_language: {source}"
            return Finding("translation", names, reason, {"translation": column.name}, keys, (other,))
    texts = [column.name for column in columns.values() if column.kind == "text"]
    codes = {name: code for name in texts if (code := language_of(name.lower()))}
    if len(codes) < 2:
        return None
    (first, source), (second, target) = list(codes.items())[:2]
    keys = {"source_language": source, "target_language": target}
    reason = f'the columns "{first}" and "{second}" are called like languages'
    other = f"the other way: columns: {{source: {second}, target: {first}}}, and the languages changed"
    names = f"{NAMES[source]} to {NAMES[target]}"
    return Finding("translation", names, reason, {"source": first, "target": second}, keys, (other,))


def _question_answering(columns: Columns) -> Finding | None:
    question = named(columns, ("question", "query"))
    context = named(columns, ("context", "passage", "paragraph"))
    if not question or not context or not (answer := named(columns, ("answers", "answer_text", "answer"))):
        return None
    start = named(columns, ("answer_start",))
    if isinstance(columns[answer].values[0] if columns[answer].values else "", str) and not start:
        return None
    mapped: Names = {"question": question, "context": context}
    if start:
        mapped["answer_start"] = start
    unanswered = _unanswered(columns, answer)
    mapped["answer_text" if start else "answers"] = answer
    reason = f'there are "{question}", "{context}" and "{answer}"' + ("; some questions have none" * unanswered)
    kind = "spans of a context, or no answer" if unanswered else "spans of a context"
    return Finding("question-answering", kind, reason, mapped)


def _unanswered(columns: Columns, answer: str) -> bool:
    flag = columns.get("is_impossible")
    if flag and any(flag.values):
        return True
    return any(
        value in ([], {}) or (isinstance(value, dict) and not value.get("text")) for value in columns[answer].values
    )


def _text_to_text(rows: Sequence[Row], columns: Columns) -> Finding | None:
    target = next((name for name in named_all(columns, TARGETS) if columns[name].kind in ("text", "list")), None)
    texts = {name: column for name, column in columns.items() if column.kind == "text" and name != target}
    source = named(texts, TEXTS) or (max(texts, key=lambda name: texts[name].words) if len(texts) == 1 else None)
    if not target or not source or named(columns, STRONG_LABELS):
        return None
    reason = f'"{source}" and "{target}" are texts'
    return _by_lengths(_pairs(rows, source, target), {"source": source, "target": target}, reason)


def named_all(columns: Columns, wanted: Sequence[str]) -> list[str]:
    lower = {name.lower(): name for name in columns}
    return [lower[name] for name in wanted if name in lower]


def _two_texts(rows: Sequence[Row], columns: Columns) -> Finding | None:
    texts = [column.name for column in columns.values() if column.kind == "text"]
    if len(texts) != 2:
        return None
    reason = f'"{texts[0]}" and "{texts[1]}" are texts, and no column can be a label'
    found = _by_lengths(_pairs(rows, *texts), {"source": texts[0], "target": texts[1]}, reason)
    other = f"the other way: columns: {{source: {texts[1]}, target: {texts[0]}}}"
    return Finding(found.task, found.kind, found.reason, found.columns, found.keys, (*found.alternatives, other))


def _pairs(rows: Sequence[Row], source: str, target: str) -> list[tuple[str, str]]:
    both = [(row[source], row[target]) for row in rows if row.get(source) and row.get(target)]
    return [(str(text), str(other[0] if isinstance(other, list) else other)) for text, other in both]


def _by_lengths(pairs: Sequence[tuple[str, str]], columns: dict[str, str | tuple[str, ...]], reason: str) -> Finding:
    """Whether targets summarise, mend, or are other texts."""
    some = pairs[:: max(1, len(pairs) // 200)]
    ratio = median(words(target) / max(1, words(source)) for source, target in some)
    alike = mean(SequenceMatcher(None, a[:300], b[:300], autojunk=False).ratio() for a, b in some)
    if ratio < MUCH_SHORTER:
        told = f"{reason}; a target has {ratio:.2f} times the words of its source"
        return Finding("summarization", "a short text of a long one", told, columns)
    if alike > ALIKE:
        told = f"{reason}; source and target share {alike:.0%} of their characters"
        return Finding("text2text-generation", "correction", told, columns)
    other = "if these are translations: name: translation, with source_language and target_language"
    return Finding("text2text-generation", "a text for a text", reason, columns, {}, (other,))
