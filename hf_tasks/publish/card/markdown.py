"""Escapes values for Markdown, so that labels and texts are shown literally. Raw Markdown has the type `Markup`.

The templates pass every value through `value`, so nothing reaches a card unescaped by mistake. Secrets are removed
first: an escaped one would no longer be recognised.
"""

import json
import math
import re
import unicodedata
from typing import Any

from markupsafe import Markup

from hf_tasks.publish.redact import redacted
from hf_tasks.publish.results_view import Interval, is_number

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"


def value(thing: Any) -> Markup:
    """Any value as one line of escaped Markdown."""
    return thing if isinstance(thing, Markup) else escape(str(thing))


def escape(text: str) -> Markup:
    """Text as one line of Markdown without any markup: no HTML, link, emphasis, code, heading, list or table cell."""
    text = re.sub(r"[\\`*\[\]|~$!]", r"\\\g<0>", _one_line(redacted(text)))
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)  # inside a word it is no emphasis
    text = re.sub(r"[&<>@]", lambda m: _ENTITIES[m[0]], text)
    text = re.sub(r"://|(?i:(?<=www)\.)", lambda m: "".join(f"&#{ord(c)};" for c in m[0]), text)
    return Markup(re.sub(r"^([-+#=])|^(\d+)([.)])(?=\s|$)", r"\2\\\1\3", text))


def code(text: str) -> Markup:
    """Text as inline code. Only for our own names: a `|` would end a table cell."""
    text = _one_line(redacted(text))
    ticks = "`" * (_longest(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") or not text else ""
    return Markup(f"{ticks}{space}{text}{space}{ticks}")


def fence(text: str, language: str = "") -> Markup:
    """Text as a code block, with a fence longer than any in it."""
    text = redacted(text)
    ticks = "`" * max(3, _longest(text) + 1)
    body = text.strip("\n").replace("<!-- hf_tasks:", "<!- - hf_tasks:")
    return Markup(f"{ticks}{language}\n{body}\n{ticks}")


def literal(thing: Any) -> Markup:
    """A Python literal of plain data, without secrets."""
    return _literal(_without_secrets(thing))


def _literal(thing: Any) -> Markup:
    match thing:
        case str():
            written = json.dumps(thing, ensure_ascii=False)
            return Markup(written if _shows_all(written) else json.dumps(thing))
        case list() | tuple():
            return Markup("[{}]").format(Markup(", ").join(map(_literal, thing)))
        case dict():
            return Markup("{{{}}}").format(
                Markup(", ").join(Markup(": ").join(map(_literal, pair)) for pair in thing.items())
            )
        case float() if not math.isfinite(thing):
            return Markup(f'float("{thing}")')
        case bool() | int() | float() | None:
            return Markup(repr(thing))
    raise TypeError(f"not plain data: {type(thing).__name__}")


def number(thing: float) -> Markup:
    """A number on a card: floats with four decimals, integers as they are."""
    return Markup(f"{thing:.4f}" if isinstance(thing, float) else f"{thing}")


def cell(thing: Any) -> Markup:
    """A cell of a table of results."""
    if isinstance(thing, Interval):
        return Markup(" to ").join(map(cell, thing))
    if is_number(thing):
        return number(thing) if math.isfinite(thing) else Markup("not defined")
    return Markup("not defined") if thing is None else value(thing)


def _without_secrets(thing: Any) -> Any:
    match thing:
        case str():
            return redacted(thing)
        case list():
            return [_without_secrets(item) for item in thing]
    return thing


def _one_line(text: str) -> str:
    return "".join(filter(_shows_all, " ".join(text.split())))


def _shows_all(text: str) -> bool:
    """Whether no character is invisible or turns the direction of others."""
    return all(c in _JOINERS or unicodedata.category(c) not in _HIDDEN for c in text)


def _longest(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
