"""Tag schemes: how a sequence of tags writes down the entities, or the words, of a sentence.

                  Ann    Lee    met  Bo     in  New    York       (Ann Lee and Bo: PER, New York: LOC)
    IOB1          I-PER  I-PER  O    I-PER  O   I-LOC  I-LOC      B- only between neighbours of one type
    IOB2 (BIO)    B-PER  I-PER  O    B-PER  O   B-LOC  I-LOC      B- begins every entity
    BIOES, IOBES  B-PER  E-PER  O    S-PER  O   B-LOC  E-LOC      S- alone, E- the last word
    BILOU         B-PER  L-PER  O    U-PER  O   B-LOC  L-LOC      U- alone, L- the last word
    BMES          B-PER  E-PER  O    S-PER  O   B-LOC  E-LOC      M- between B- and E-
    segmentation  B, M, E, S (or B, I) without types and without O: tags of characters, which say where words begin
    none          any other tags, such as parts of speech

Sources: Ramshaw and Marcus 1995, https://aclanthology.org/W95-0107 (IOB1); Tjong Kim Sang and Veenstra 1999,
https://aclanthology.org/E99-1023 (IOB2); Ratinov and Roth 2009, https://aclanthology.org/W09-1119 (BILOU);
Xue 2003, https://aclanthology.org/O03-4002 (segmentation as tagging).
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal, NamedTuple

Scheme = Literal["IOB1", "IOB2", "BIOES", "BILOU", "BMES", "segmentation", "none"]

PREFIXES: dict[Scheme, str] = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES"}
UNTYPED = "_"
"""The type of entities whose tags name none, such as a plain B."""

_TAG = re.compile(r"(O)|([BIMELSU])(?:-(.+))?")
_SAME_ROLE = {"M": "I", "L": "E", "U": "S"}
# Patterns over the signs of `_signs`. A capital says: the same type as the tag before.
_READ_STRICTLY = {"IOB2": re.compile("[Bb]I*")} | dict.fromkeys(("BIOES", "BILOU", "BMES"), re.compile("[Ss]|[Bb]I*E"))
_READ_ANYHOW = re.compile("[Ss]|[BbIi]I*E?|[Ee]")


class Tags(list[str]):
    """The tags of a sentence, which also know its words."""

    def __init__(self, tags: Iterable[str], tokens: Sequence[str]) -> None:
        super().__init__(tags)
        self.tokens = tokens


class Entity(NamedTuple):
    start: int
    """The first word."""
    end: int
    """The word after the last one."""
    type: str


def entities(tags: Sequence[str], scheme: Scheme) -> list[Entity]:
    """The entities that tags write down by the rules of their scheme; tags that break the rules name none.

    The same as seqeval's strict mode; of IOB1, which no sequence of tags breaks, the same as conlleval.
    """
    return _found(tags, _READ_STRICTLY.get(scheme, _READ_ANYHOW))


def chunks(tags: Sequence[str]) -> list[Entity]:
    """The entities that tags of any scheme write down, read as conlleval does: broken rules are forgiven, and an
    entity begins wherever the type changes (https://www.cnts.ua.ac.be/conll2000/chunking/output.html).

    For `segmentation`, the words: each character is in exactly one.
    """
    return _found(tags, _READ_ANYHOW)


def broken(tags: Sequence[str], scheme: Scheme) -> list[Entity]:
    """What breaks the rules of the scheme: the stretches that only `chunks` reads as entities."""
    strict = set(entities(tags, scheme))
    return [chunk for chunk in chunks(tags) if chunk not in strict]


def aliens(found: Iterable[str], scheme: Scheme) -> set[str]:
    """The tags that do not belong to the scheme; for "none", the few that keep the others from being one."""
    tags = set(found) - {"O"}
    match scheme:
        case "segmentation":
            return tags - set("BMIES")
        case "none":
            typed = {tag for tag in tags if (match := _TAG.fullmatch(tag)) and match[3]}
            return tags - typed if 2 * len(typed) > len(tags) else set()
    return {tag for tag in tags if not (match := _TAG.fullmatch(tag)) or match[2] not in PREFIXES[scheme]}


def tags_of(spans: Iterable[Entity], length: int) -> list[str]:
    """IOB2 tags of entities that do not overlap, for a sentence of `length` words."""
    tags = ["O"] * length
    for start, end, kind in spans:
        tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return tags


def surface(tokens: Sequence[str]) -> str:
    """The words of an entity as text: with blanks between them, or without where each is one character (Chinese)."""
    return ("" if all(len(token) == 1 for token in tokens) else " ").join(tokens)


def detect(sequences: Sequence[Sequence[str]]) -> Scheme:
    """The scheme of a collection of tagged sentences."""
    found = {tag for tags in sequences for tag in tags}
    if found and found <= set("BMIES"):
        return "segmentation"
    matches = [match for tag in found if (match := _TAG.fullmatch(tag))]
    prefixes = {match[2] for match in matches if match[2]}
    if len(matches) < len(found) or not prefixes:
        return "none"
    if "M" in prefixes:
        return "BMES"
    if prefixes & {"L", "U"}:
        return "BILOU"
    if prefixes & {"E", "S"}:
        return "BIOES" if "I" in prefixes or "O" in found else "BMES"
    signs = "".join(map(_signs, sequences))
    return "IOB1" if signs.count("i") > signs.count("b") else "IOB2"


def complete(found: Iterable[str], scheme: Scheme) -> tuple[str, ...]:
    """The tags of a model: those found, and for each type all prefixes of the scheme, so that an entity may be longer
    or shorter than those in the training data. O first, then type by type; plain tags in alphabetical order."""
    found = set(found)
    match scheme:
        case "none":
            return tuple(sorted(found))
        case "segmentation":
            return ("B", "I" if "I" in found else "M", "E", "S") if found & {"E", "S"} else ("B", "I")
    types = sorted({match[3] or "" for tag in found if (match := _TAG.fullmatch(tag)) and match[2]})
    inside = [f"{prefix}-{kind}" if kind else prefix for kind in types for prefix in PREFIXES[scheme]]
    return (*sorted(found - set(inside)), *inside)


def _found(tags: Sequence[str], pattern: re.Pattern[str]) -> list[Entity]:
    return [Entity(m.start(), m.end(), _parse(tags[m.start()])[1]) for m in pattern.finditer(_signs(tags))]


def _signs(tags: Sequence[str]) -> str:
    """One sign for each tag, its role B, I, E, S or O; in lower case where its type differs from the tag before."""
    signs, before = [], ""
    for role, kind in map(_parse, tags):
        signs.append(role if kind == before or role == "O" else role.lower())
        before = kind
    return "".join(signs)


@cache
def _parse(tag: str) -> tuple[str, str]:
    """(role, type) of a tag; a tag that is not of any scheme counts as O."""
    match = _TAG.fullmatch(tag)
    if not match or match[1]:
        return "O", ""
    return _SAME_ROLE.get(match[2], match[2]), match[3] or UNTYPED
