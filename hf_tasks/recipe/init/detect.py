"""Detect the tasks that the columns of a dataset allow, best first, from their contents and then their names."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from statistics import mean, median

from hf_tasks.core.errors import DataError
from hf_tasks.recipe.init.columns import (
    CONTEXTS,
    LABELS,
    LANGUAGES,
    QUESTIONS,
    TAGS,
    TARGETS,
    TEXTS,
    TOKENS,
    Column,
    Columns,
    language_of,
    name_words,
    named,
    words,
)
from hf_tasks.recipe.init.detect_coreference import coreference
from hf_tasks.recipe.init.detect_labels import classification, label_problem, text_score
from hf_tasks.recipe.init.detect_similarity import anchored, of_pairs
from hf_tasks.recipe.init.detection import Detection, Names, Wishes
from hf_tasks.recipe.init.languages import likely_language
from hf_tasks.tasks import MultipleChoice
from hf_tasks.tasks.types import RawRow

SHORTER = 0.5
"""Targets with a smaller share of their source's words are summaries."""
ALIKE = 0.6
"""Share of common characters of source and target above which the target is a correction."""
STRONG_LABELS = ("label", "labels", "score", "rating", "stars", "sentiment", "category", "class")
MOST_TAGS = 200
SHARE_OF_QUESTIONS = 0.3
"""Share of texts with a question mark above which a column holds questions, if its name does not say so."""
CHOICES = ("choices", "endings", "options", "ending", "choice", "option", "answers", "sol", "solution")
RIGHT_CHOICES = ("label", "answer", "answerkey", "correct", "correct_answer", "gold", "target")
DECODER_ONLY_PENALTY = 20
"""Decoder-only models are proposed only if --task asks for them."""
LOOKED_AT = 200
"""Number of rows in which answers are searched for and texts are compared."""

_TYPED = re.compile(r"O|[BIESLUM]-.+")
_POSITIONS = re.compile(r"[BMESI]")
_COUNTER = re.compile(r"(.*?)[ _.-]?\d+")


def detect(
    rows: Sequence[RawRow], columns: Columns, languages: tuple[str | None, ...], where: str, wishes: Wishes
) -> list[Detection]:
    """Return the tasks that the rows can be used for, best first; `languages`: of parallel files.

    Raises DataError if there is none or the user's wishes exclude all of them.
    """
    wishes.check(columns, where)
    if languages:
        found = [*_parallel(rows, languages)]
    else:
        found = [
            *_tagging(rows, columns),
            *_translation(columns, where),
            *_translation_by_contents(columns),
            *_question_answering(rows, columns),
            *coreference(rows, columns),
            *_multiple_choice(rows, columns),
            *_text_to_text(rows, columns, wishes),
            *anchored(columns),
            *classification(rows, columns, wishes),
        ]
        found += of_pairs(found, columns)
        found += [] if found else _unlabelled(columns)
    found += [_as_completion(one) for one in found if "source" in one.columns and "target" in one.columns]
    usable = sorted(filter(wishes.allow, found), key=lambda one: -one.score)
    if not usable:
        raise DataError(f"{where}: {_no_task(columns) if wishes.empty else wishes.impossible(columns)}")
    return usable


def _unlabelled(columns: Columns) -> Iterator[Detection]:
    """Detect texts without anything else, for continued pretraining."""
    if len(columns) == 1 and (text := next((name for name, one in columns.items() if one.kind == "text"), None)):
        reason = "there is only one column, of texts without labels"
        yield Detection("fill-mask", "masked language modelling", reason, {"text": text}, {"packing": True})


def _no_task(columns: Columns) -> str:
    """Return the message for columns that allow no task."""
    shown = ", ".join(column.example() for column in list(columns.values())[:12])
    if len(columns) == 1:
        return f"there is only one column, {shown}; add one with labels or target texts"
    if word := named(columns, ("word", "token")):
        return f'the column "{word}" has one word per row; write sentences: CoNLL, or lists of tokens and tags'
    if not any(column.kind == "text" for column in columns.values()):
        return f"no column holds texts, only {shown}; add one, or name it text"
    if problem := label_problem(columns):
        return f"{problem}; name another column with --label" if "; " not in problem else problem
    return f"no column can be a label, only {shown}; add one, or name it label"


# -- tags


def _tagging(rows: Sequence[RawRow], columns: Columns) -> Iterator[Detection]:
    """Detect lists of words with a tag for each, or a text and spans of its characters."""
    lists = {name: column for name, column in columns.items() if column.kind in ("list", "numbers")}
    tags = {name: counts for name, column in lists.items() if _like_tags(counts := _counts(column))}
    tokens = [name for name, column in lists.items() if column.kind == "list" and _varied(column)]
    words_in = named(tokens, TOKENS) or max(tokens, key=lambda name: len(_counts(lists[name])), default=None)
    if words_in:
        aligned = {name: found for name, found in tags.items() if name != words_in and _aligned(rows, words_in, name)}
        if aligned:
            yield _tags(words_in, aligned, lists)
    texts = [name for name, column in columns.items() if column.kind == "text"]
    text = max(texts, key=lambda name: text_score(columns[name]), default=named(columns, TEXTS))
    for name, column in columns.items():
        if column.kind == "spans" and text:
            reason = f'the column "{name}" has spans of the characters of "{text}"'
            found: Names = {"text": text, "spans": name}
            yield Detection("token-classification", "named entities", reason, found, score=9)


def _tags(tokens: str, aligned: dict[str, Counter[str]], lists: Columns) -> Detection:
    typed = [name for name, tags in aligned.items() if _share(tags, _TYPED) > 0.9]
    chosen = ("tags" if "tags" in typed else None) or next(iter(typed), None) or named(aligned, TAGS) or [*aligned][-1]
    tags = aligned[chosen]
    others = [name for name in aligned if name != chosen]
    alternatives = [f"other columns of tags: {', '.join(others)}; columns: {{tags: NAME}}"] if others else []
    keys, kind = {}, _kind_of_tags(tags)
    if lists[chosen].kind == "numbers":
        kind = "tags of words"
        keys = {"labels": [str(number) for number in range(1 + max(map(int, tags)))]}
        alternatives.append("the tags are ids: write their names here, in the order of the ids")
    reason = f'the column "{chosen}" has a tag for each word of "{tokens}", {len(tags)} different ones'
    columns: dict[str, str | tuple[str, ...]] = {"tokens": tokens, "tags": chosen}
    return Detection("token-classification", kind, reason, columns, keys, tuple(alternatives), 10)


def _counts(column: Column) -> Counter[str]:
    return Counter(str(item) for value in column.values if isinstance(value, list) for item in value)


def _varied(column: Column) -> bool:
    """Whether the items are words or characters rather than tags."""
    return len(_counts(column)) > 1 and not all(map(_TYPED.fullmatch, _counts(column)))


def _like_tags(tags: Counter[str]) -> bool:
    return 1 < len(tags) <= min(MOST_TAGS, max(2, tags.total() / 2))


def _aligned(rows: Sequence[RawRow], one: str, other: str) -> bool:
    both = [
        (row[one], row[other]) for row in rows if isinstance(row.get(one), list) and isinstance(row.get(other), list)
    ]
    return bool(both) and sum(len(a) == len(b) for a, b in both) > 0.8 * len(both) and any(len(a) > 1 for a, _ in both)


def _share(tags: Counter[str], pattern: re.Pattern[str]) -> float:
    return sum(count for tag, count in tags.items() if pattern.fullmatch(tag)) / tags.total()


def _kind_of_tags(tags: Counter[str]) -> str:
    if all(map(_POSITIONS.fullmatch, tags)):
        return "word segmentation"
    return "named entities" if _share(tags, _TYPED) > 0.9 else "parts of speech, or other tags of words"


# -- questions


def _question_answering(rows: Sequence[RawRow], columns: Columns) -> Iterator[Detection]:
    """Detect questions, contexts and answers (one column, or two columns with their texts and starts)."""
    texts = [name for name, column in columns.items() if column.kind == "text"]
    answers = next((name for name, column in columns.items() if column.kind == "answers"), None)
    found = {"answers": answers} if answers else None
    context = named(columns, CONTEXTS)
    if not answers:
        context, found = _find_answers(rows[:LOOKED_AT], columns, texts)
    elif not context:
        context = max(texts, key=lambda name: columns[name].words, default=None)
    others = [name for name in texts if name != context and name not in (found or {}).values()]
    question = named(others, QUESTIONS) or max(others, key=lambda name: _question_share(columns[name]), default=None)
    if not found or not context or not question:
        return
    if not set(name_words(question)) & set(QUESTIONS) and _question_share(columns[question]) < SHARE_OF_QUESTIONS:
        return
    identifier = next((name for name, column in columns.items() if column.kind == "identifier" and column.unique), None)
    extra = {"id": identifier} if identifier and not named(columns, ("id", "qid")) else {}
    unanswered = _unanswered(columns, answers)
    reason = f'"{found.get("answers", found.get("answer_text"))}" has answers that are in "{context}"'
    kind = "spans of a context, or no answer" if unanswered else "spans of a context"
    mapped: dict[str, str | tuple[str, ...]] = {"question": question, "context": context, **found, **extra}
    yield Detection("question-answering", kind, reason + "; some questions have none" * unanswered, mapped, score=9.5)


def _multiple_choice(rows: Sequence[RawRow], columns: Columns) -> Iterator[Detection]:
    """Detect a list of choices, or a column for each choice, and the correct one."""
    several: dict[str, list[str]] = {}
    for name in columns:
        if (match := _COUNTER.fullmatch(name)) and match[1].lower() in CHOICES:
            several.setdefault(match[1], []).append(name)
    listed = named([name for name, column in columns.items() if column.kind in ("list", "other")], CHOICES)
    series = next((tuple(names) for names in several.values() if len(names) > 1), None)
    choices: str | tuple[str, ...] | None = listed or series
    label = named(columns, RIGHT_CHOICES)
    taken = (listed, label, *(series or ()))
    others = [name for name, column in columns.items() if name not in taken and column.kind not in ("other", "list")]
    question = named(others, (*QUESTIONS, "sent2"))
    rest = [name for name in others if name != question and columns[name].kind == "text"]
    context = named(others, (*CONTEXTS, "sent1", "ctx", "premise")) or next(iter(rest), question)
    if not choices or not label or not context:
        return
    text = "question" if context.startswith("question.") else "context"
    mapped: Names = {text: context, "choices": choices, "label": label}
    mapped |= {"question": question} if question and question != context else {}
    if all(_is_choice(row, choices, label) for row in rows[:LOOKED_AT]):
        reason = f'"{label}" is one of the choices in "{listed or ", ".join(series or ())}"'
        yield Detection("multiple-choice", "the correct one of several choices", reason, mapped, score=9)


def _is_choice(row: RawRow, choices: str | tuple[str, ...], label: str) -> bool:
    given = row.get(choices) if isinstance(choices, str) else [row[name] for name in choices if row.get(name)]
    try:
        MultipleChoice(name="multiple-choice").parse({"context": "", "choices": given, "label": row.get(label)})
    except ValueError:
        return False
    return True


def _find_answers(
    rows: Sequence[RawRow], columns: Columns, texts: Sequence[str]
) -> tuple[str | None, dict[str, str] | None]:
    """Find a context column and columns with the text and start of an answer in it."""
    starts = [name for name, column in columns.items() if column.kind in ("number", "identifier") and column.integers]
    answers = [name for name, column in columns.items() if column.kind in ("text", "label", "identifier")]
    for start in starts:
        for context in sorted(texts, key=lambda name: -columns[name].words):
            for answer in answers:
                if answer != context and _starts_at(rows, context, answer, start):
                    return context, {"answer_text": answer, "answer_start": start}
    return None, None


def _starts_at(rows: Sequence[RawRow], context: str, answer: str, start: str) -> bool:
    given = [row for row in rows if row.get(answer) not in (None, "") and row.get(start) not in (None, "")]
    right = sum(str(row.get(context)).startswith(str(row[answer]), int(float(row[start]))) for row in given)
    return bool(given) and right > 0.7 * len(given)


def _question_share(column: Column) -> float:
    return sum(str(value).rstrip().endswith(("?", "？", "؟")) for value in column.values) / max(1, len(column.values))


def _unanswered(columns: Columns, answers: str | None) -> bool:
    flag = columns.get("is_impossible")
    if flag and any(flag.values):
        return True
    values = columns[answers].values if answers else ()
    return any(value in ([], {}) or (isinstance(value, dict) and not value.get("text")) for value in values)


# -- texts to texts


def _parallel(rows: Sequence[RawRow], languages: tuple[str | None, ...]) -> Iterator[Detection]:
    source, target = languages[0], languages[1]
    columns: dict[str, str | tuple[str, ...]] = {"source": "source", "target": "target"}
    if source and target and source != target:
        yield _translated(columns, source, target, f"parallel files of {LANGUAGES[source]} and {LANGUAGES[target]}")
    else:
        pairs = [(str(row["source"]), str(row["target"][0])) for row in rows]
        yield _by_lengths(pairs, columns, "parallel files", 6)


def _translation(columns: Columns, where: str) -> Iterator[Detection]:
    """Detect a dict of languages, or columns whose names differ in a language."""
    for column in columns.values():
        if column.kind == "languages":
            source, target = _in_order(column.values[0], where)
            reason = f'the column "{column.name}" has texts in {", ".join(column.values[0])}'
            yield _translated({"translation": column.name}, source, target, reason, swapped="")
    by_stem: dict[tuple[str, ...], dict[str, str]] = {}
    for name in (column.name for column in columns.values() if column.kind == "text"):
        found = name_words(name)
        code = next((word for word in found if language_of(word)), None) or _code_of(name)
        if code:
            stem = tuple(word for word in found if word != code and not _code_of(word))
            by_stem.setdefault(stem, {})[code] = name
    for codes in by_stem.values():
        if len(codes) > 1:
            (source, first), (target, second) = list(codes.items())[:2]
            reason = f'the columns "{first}" and "{second}" are named after languages'
            swapped = f"columns: {{source: {second}, target: {first}}}, and "
            yield _translated({"source": first, "target": second}, source, target, reason, swapped)


def _translation_by_contents(columns: Columns) -> Iterator[Detection]:
    """Detect two columns of texts in different languages."""
    languages = {name: likely_language(column.values) for name, column in columns.items() if column.kind == "text"}
    known = {name: language for name, language in languages.items() if language}
    if len(set(known.values())) < 2:
        return
    source, first = next(iter(known.items()))
    target, second = next((name, language) for name, language in known.items() if language != first)
    reason = f'"{source}" seems to be {LANGUAGES[first]}, "{target}" {LANGUAGES[second]}'
    swapped = f"columns: {{source: {target}, target: {source}}}, and "
    found = _translated({"source": source, "target": target}, first, second, reason, swapped)
    yield replace(found, score=2 if named(columns, LABELS) else 7)


def _in_order(codes: Iterable[str], where: str) -> tuple[str, str]:
    """Return source and target language: as in the name of the file (`fr-en.jsonl`), else English and the first."""
    pairs = re.findall(r"(?<![a-z])([a-z]{2})[-_2]([a-z]{2})(?![a-z])", where.lower())
    named_pair = next((pair for pair in pairs if set(pair) <= set(codes)), None)
    source, target, *_ = named_pair or sorted(codes, key=lambda code: (code != "en", code))
    return source, target


def _code_of(name: str) -> str | None:
    """Return `de` for "German"."""
    return next((code for code, language in LANGUAGES.items() if language.lower() == name.lower()), None)


def _translated(
    columns: dict[str, str | tuple[str, ...]], source: str, target: str, reason: str, swapped: str | None = None
) -> Detection:
    keys = {"source_language": source, "target_language": target}
    kind = f"{LANGUAGES[source]} to {LANGUAGES[target]}"
    other = f"the other direction: {swapped}source_language: {target}, target_language: {source}"
    return Detection("translation", kind, reason, columns, keys, (other,) * (swapped is not None), 8)


def _text_to_text(rows: Sequence[RawRow], columns: Columns, wishes: Wishes) -> Iterator[Detection]:
    """Detect a source text and one or several target texts."""
    texts = {name: column for name, column in columns.items() if column.kind == "text"}
    lists = [name for name in columns if columns[name].kind == "list"]
    references = _references(texts)
    called = wishes.label or named([*texts, *lists], TARGETS)
    target: str | tuple[str, ...] | None = references or called
    taken = references or (called,)
    rest = {name: column for name, column in texts.items() if name not in taken}
    source = wishes.text or max(rest, key=lambda name: text_score(rest[name]), default=None)
    if target and source:
        shown = f'"{source}" and "{", ".join(references) if references else target}" are texts'
        weak = named(columns, STRONG_LABELS) and not wishes.label
        yield _by_lengths(
            _pairs(rows, source, taken[0] or ""), {"source": source, "target": target}, shown, 3 if weak else 6
        )
    elif len(texts) == 2 and not target and not label_problem(columns):
        first, second = texts
        if SHORTER * columns[second].words > columns[first].words:
            first, second = second, first  # the longer one is the source of a summary
        reason = f'"{first}" and "{second}" are texts, and no column can be a label'
        other = f"the other direction: columns: {{source: {second}, target: {first}}}"
        found = _by_lengths(_pairs(rows, first, second), {"source": first, "target": second}, reason, 1)
        yield found.and_also(other)


def _as_completion(found: Detection) -> Detection:
    """Return the detection for a decoder-only model, which is proposed only on request."""
    columns = {"prompt": found.columns["source"], "completion": found.columns["target"]}
    return Detection("text-generation", found.kind, found.reason, columns, score=found.score - DECODER_ONLY_PENALTY)


def _references(texts: Columns) -> tuple[str, ...]:
    """Return the columns of several references, whose names differ in a counter: Summary 1, Summary 2."""
    groups: dict[str, list[str]] = {}
    for name in texts:
        if match := _COUNTER.fullmatch(name):
            groups.setdefault(match[1], []).append(name)
    called = (names for stem, names in groups.items() if len(names) > 2 or set(name_words(stem)) & set(TARGETS))
    several = next(called, [])
    return tuple(several) if 1 < len(several) < len(texts) else ()


def _pairs(rows: Sequence[RawRow], source: str, target: str) -> list[tuple[str, str]]:
    both = [(row[source], row[target]) for row in rows if row.get(source) and row.get(target)]
    return [(str(text), str(other[0] if isinstance(other, list) else other)) for text, other in both]


def _by_lengths(
    pairs: Sequence[tuple[str, str]], columns: dict[str, str | tuple[str, ...]], reason: str, score: float
) -> Detection:
    """Decide from the lengths and the similarity whether targets are summaries, corrections or other texts."""
    some = pairs[:: max(1, len(pairs) // LOOKED_AT)] or [("", "")]
    ratio = median(words(target) / max(1, words(source)) for source, target in some)
    alike = mean(SequenceMatcher(None, a[:300], b[:300], autojunk=False).ratio() for a, b in some)
    if ratio < SHORTER:
        reason += f"; a target has {ratio:.2f} times the words of its source"
        return Detection("summarization", "a short text for a long one", reason, columns, score=score)
    if alike > ALIKE:
        reason += f"; source and target share {alike:.0%} of their characters"
        return Detection("text2text-generation", "correction", reason, columns, score=score)
    other = "if these are translations: name: translation, with source_language and target_language"
    return Detection("text2text-generation", "a text for a text", reason, columns, {}, (other,), score)
