"""Escape characters of untrusted text that would control the terminal."""

import unicodedata

BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Unicode characters that change the direction of the text after them."""


def printable(text: str) -> str:
    r"""Escape control characters (as \x1b) and bidirectional controls; line ends and tabs are kept."""
    return "".join(c if c in "\n\t" or not _is_control(c) else repr(c)[1:-1] for c in text)


def _is_control(c: str) -> bool:
    return not c.isprintable() and unicodedata.category(c) in ("Cc", "Cs") or c in BIDI_CONTROLS
