"""Jupyter notebooks of the tutorials: the same text, files, commands and Python as in their Markdown."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = re.compile(
    r"(?:^File `(?P<file>[^`]+)`:\n\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```\n", re.MULTILINE | re.DOTALL
)
"""A block of code; one without a language holds commands, or the content of the file named before it."""
LINK = re.compile(r"\[([^\]]*)\]\((?!https?:)[^)]*\)")


def notebook(page: str) -> str:
    """Return the notebook (format 4.5) of a page of Markdown, as JSON."""
    cells = [{"id": f"cell-{i}", **cell} for i, cell in enumerate(_cells(page))]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _cells(page: str) -> Iterator[dict[str, Any]]:
    end, folders = 0, {Path()}
    for found in BLOCK.finditer(page):
        yield from _text(page[end : found.start()])
        end, file, text = found.end(), found["file"], found["text"]
        if file:
            if Path(file).parent not in folders:
                folders.add(Path(file).parent)
                yield _code(f"!mkdir -p {Path(file).parent}")
            yield _code(f"%%writefile {file}\n{text.rstrip()}")
        elif found["language"] == "python":
            yield _code(text.rstrip())
        elif found["language"]:
            yield from _text(found[0])
        else:
            yield _code("\n".join(f"!{line}" for line in text.splitlines()))
    yield from _text(page[end:])


def _text(markdown: str) -> Iterator[dict[str, Any]]:
    """A cell of text, in which links to other pages are words."""
    if markdown.strip():
        yield {"cell_type": "markdown", "metadata": {}, "source": _lines(LINK.sub(r"\1", markdown.strip()))}


def _code(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": _lines(source)}


def _lines(source: str) -> list[str]:
    return source.splitlines(keepends=True)
