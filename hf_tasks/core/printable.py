import unicodedata

DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that show those after them in another direction."""


def printable(text: str) -> str:
    r"""Text whose control characters, which steer a terminal, are written out (\x1b), as are those that turn the
    direction of others; line ends and tabs stay."""
    return "".join(c if c in "\n\t" or not _steers(c) else repr(c)[1:-1] for c in text)


def _steers(c: str) -> bool:
    return not c.isprintable() and unicodedata.category(c) in ("Cc", "Cs") or c in DIRECTIONS
