"""Detect a pronoun, and for each of several names its offset in the text and whether the pronoun refers to it."""

import re
from collections.abc import Iterator, Sequence

from hf_tasks.recipe.init.columns import TEXTS, Columns, named
from hf_tasks.recipe.init.detection import Detection, Names
from hf_tasks.tasks import Coreference
from hf_tasks.tasks.types import RawRow

_OF_A_NAME = re.compile(r"(?i)(.+)[-_. ](offset|coref)")
LOOKED_AT = 100


def coreference(rows: Sequence[RawRow], columns: Columns) -> Iterator[Detection]:
    """GAP's columns: Pronoun, Pronoun-offset, and for the names A and B each A, A-offset, A-coref."""
    text, pronoun = named(columns, TEXTS), named(columns, ("pronoun",))
    found: dict[str, dict[str, str]] = {}
    for name in columns:
        if (match := _OF_A_NAME.fullmatch(name)) and match[1] in columns:
            found.setdefault(match[1], {})[match[2].lower()] = name
    names = [name for name, kinds in found.items() if {"offset", "coref"} <= kinds.keys()]
    if not text or not pronoun or len(names) < 2:
        return
    place = found.get(pronoun, {}).get("offset")
    mapped: Names = {"text": text, "pronoun": pronoun, **({"pronoun_offset": place} if place else {})}
    mapped |= {"names": tuple(names), "offsets": tuple(found[name]["offset"] for name in names)}
    mapped["label"] = tuple(found[name]["coref"] for name in names)
    if all(_fits(row, mapped) for row in rows[:LOOKED_AT]):
        reason = f'"{pronoun}" refers to one of {", ".join(names)} in "{text}", or to none'
        yield Detection("coreference", "the name that a pronoun refers to", reason, mapped, score=9.5)


def _fits(row: RawRow, columns: Names) -> bool:
    values = {
        name: row.get(source) if isinstance(source, str) else [row.get(one) for one in source]
        for name, source in columns.items()
    }
    try:
        Coreference(name="coreference").parse(values)
    except ValueError:
        return False
    return True
