"""Readers of tagged sentences: CoNLL columns, CoNLL-U, words separated by blanks, word/TAG.

They yield (line, row), or (line, ValueError) for a sentence that cannot be read.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from hf_tasks.data.readers.delimited import Rows
from hf_tasks.tasks.types import RawRow

CONLL_2003 = ("pos", "chunk")
"""Names of the middle columns if there are two."""
CONLLU = ("id", "tokens", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")

LONGEST = 2_000
"""Maximum number of words in a sentence; a longer one means that blank lines between sentences are missing."""
LONGEST_ALONE = 200
"""The same for the only sentence of a file of words with tags."""

_METADATA = re.compile("# .*=")
_BLANKS = " \t"

Sentence = list[tuple[int, str]]
"""The lines of a sentence, each with its number."""


def read_conll(lines: Iterable[str], name: str) -> Rows:
    """Read a file with one word per line, its tag in the last column, and a blank line after each sentence.

        EU       NNP  B-NP  B-ORG
        rejects  VBZ  B-VP  O

    Columns are separated by tabs if the first line has one, else by blanks. Two middle columns are named pos and chunk
    (as in CoNLL-2003), others column_2, column_3 and so on; a single column holds the words. Lines with -DOCSTART- and
    metadata before a sentence (`# id = 7`) are skipped.
    """
    columns: list[str] = []
    split: Callable[[str], list[str]] = str.split
    sentences = _sentences(lines, _is_conll_comment)
    first = list(islice(sentences, 2))
    for sentence in chain(first, sentences):
        line, text = sentence[0]
        if not columns:
            split = _split_at_tabs if "\t" in text else _split_at_blanks
            columns = _conll_columns(len(split(text)))
        if len(sentence) > (LONGEST_ALONE if len(first) == 1 and len(columns) > 1 else LONGEST):
            ends = f"{len(sentence):,} words without a blank line; write one after each sentence"
            yield line, ValueError(f"a sentence of {ends}")
            continue
        try:
            yield line, _conll_row(sentence, columns, split)
        except _BadLine as e:
            yield e.line, ValueError(str(e))


def read_conllu(lines: Iterable[str], name: str) -> Rows:
    """Read CoNLL-U (https://universaldependencies.org/format.html), with the forms as tokens.

    The other columns keep their names (upos, xpos, ...). Multi-word tokens (`4-5`) and empty nodes (`8.1`) are skipped.
    """
    for sentence in _sentences(lines, lambda line, inside: line.startswith("#")):
        try:
            yield sentence[0][0], _conllu_row(sentence)
        except _BadLine as e:
            yield e.line, ValueError(str(e))


def read_segmented(lines: Iterable[str], name: str) -> Rows:
    """Read one sentence per line with words separated by blanks (also ideographic ones) for word segmentation.

    The tokens are the characters; the tags mark the beginning (B), middle (M) and end (E) of a word and words of a
    single character (S). Blank lines are skipped.
    """
    for number, line in enumerate(lines, 1):
        if words := line.split():
            tags = "".join("S" if len(word) == 1 else f"B{'M' * (len(word) - 2)}E" for word in words)
            yield number, {"tokens": list("".join(words)), "tags": list(tags)}


def read_slashed(lines: Iterable[str], name: str) -> Rows:
    """Read one sentence per line of `word/TAG` separated by blanks; the last slash separates (`1/2/CD`)."""
    for number, line in enumerate(lines, 1):
        words = [word.rpartition("/") for word in line.split()]
        bad = next(("".join(word) for word in words if not (word[0] and word[2])), None)
        if bad is not None:
            yield number, ValueError(f'"{bad}" does not have the form word/TAG; write the word, a slash and its tag')
        elif words:
            yield number, {"tokens": [word[0] for word in words], "tags": [word[2] for word in words]}


class _BadLine(Exception):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def _sentences(lines: Iterable[str], is_comment: Callable[[str, bool], bool]) -> Iterator[Sentence]:
    """Yield the sentences, which blank lines separate, without comments (`is_comment(line, inside a sentence)`).

    A line of other spaces than blanks and tabs is not blank: such a space can be a word.
    """
    sentence: Sentence = []
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r\n")
        ends = not line.strip(_BLANKS) or line.startswith("-DOCSTART-")
        if not ends and not is_comment(line, bool(sentence)):
            sentence.append((number, line))
        if ends and sentence:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _is_conll_comment(line: str, inside: bool) -> bool:
    """Whether a line is metadata; a sentence can begin with the word `#`, so that other lines are not comments."""
    return not inside and _METADATA.match(line) is not None


def _split_at_tabs(line: str) -> list[str]:
    word, *others = line.split("\t")
    return [word, *(other.strip(_BLANKS) for other in others)]


def _split_at_blanks(line: str) -> list[str]:
    return re.split(f"[{_BLANKS}]+", line.strip(_BLANKS))


def _conll_columns(count: int) -> list[str]:
    if count == 1:
        return ["tokens"]
    return ["tokens", *(CONLL_2003 if count == 4 else [f"column_{i}" for i in range(2, count)]), "tags"]


def _conll_row(sentence: Sentence, columns: list[str], split: Callable[[str], list[str]]) -> RawRow:
    cells = []
    for line, text in sentence:
        cells.append(split(text))
        if len(cells[-1]) != len(columns):
            if split is _split_at_tabs and "\t" not in text and (found := len(_split_at_blanks(text))) > 1:
                seen = f"{_count(found)} separated by blanks where the first line has {len(columns)} separated by tabs"
                raise _BadLine(line, f"{seen}; write {len(columns)} columns, separated by tabs")
            remedy = "write the word and its tag" if len(cells[-1]) < 2 else "separate the columns in one way"
            raise _BadLine(line, f"{_count(len(cells[-1]))} where the first line has {len(columns)}; {remedy}")
        if not cells[-1][0]:
            raise _BadLine(line, "the word is empty; write it in the first column, or remove the line")
        if not cells[-1][-1] and len(columns) > 1:
            raise _BadLine(line, f'the tag of "{cells[-1][0]}" is missing; write it in the last column')
    return {column: list(values) for column, values in zip(columns, zip(*cells, strict=True), strict=True)}


def _conllu_row(sentence: Sentence) -> RawRow:
    cells = []
    for line, text in sentence:
        fields = text.split("\t")
        if len(fields) != len(CONLLU):
            raise _BadLine(line, f"{_count(len(fields))} where CoNLL-U has 10, separated by tabs; correct the line")
        if fields[0].isdecimal():
            cells.append(fields)
    columns = zip(*cells, strict=True) if cells else [()] * len(CONLLU)
    return {column: list(values) for column, values in zip(CONLLU, columns, strict=True) if column != "id"}


def _count(columns: int) -> str:
    return "1 column" if columns == 1 else f"{columns} columns"
