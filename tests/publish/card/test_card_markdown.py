from collections.abc import Iterator
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from hf_tasks.publish.card.markdown import code, escape, fence, literal, number, value

NASTY = [
    "<script>alert(1)</script>",
    "a|b",
    "`code` and ``more``",
    "*bold* _it_ __very__ ~~gone~~",
    "[link](https://evil.example) ![picture](x)",
    "&lt;b&gt; &amp; &#60;",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "---",
    "===",
    "line\n\n# next\r\n<b>",
    "<!-- hf_tasks:end results -->",
    "back\\slash \\| \\<b\\>",
    "<https://a.example>",
    "me@example.org www.example.org",
    "top_up_failed",
    "\u202eright\u202c to left",
    "$x$ {{ 7 * 7 }} {% raw %}",
]
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def tokens(markdown: str) -> Iterator[Token]:
    for token in PARSER.parse(markdown):
        yield token
        yield from token.children or []


def shown(text: str) -> str:
    """What a reader should see: one line without invisible characters."""
    return " ".join(text.split()).replace("\u202e", "").replace("\u202c", "")


@pytest.mark.parametrize("text", NASTY)
def test_an_escaped_text_is_a_paragraph_of_that_text_and_nothing_else(text: str) -> None:
    found = list(tokens(str(escape(text))))
    assert {token.type for token in found} == {"paragraph_open", "inline", "text", "paragraph_close"}
    assert "".join(token.content for token in found if token.type == "text") == shown(text)


@pytest.mark.parametrize("text", NASTY)
def test_a_text_in_a_table_stays_in_its_cell(text: str) -> None:
    found = list(tokens(f"| a | b |\n| --- | --- |\n| {escape(text)} | end |\n"))
    cells = [found[i + 1] for i, token in enumerate(found) if token.type == "td_open"]
    assert [cell.content for cell in cells][1] == "end" and len(cells) == 2
    assert [token.type for token in cells[0].children or []] == ["text"]
    assert (cells[0].children or [])[0].content == shown(text)


@pytest.mark.parametrize("text", NASTY)
def test_code_shows_the_text_as_it_is(text: str) -> None:
    [inline] = [token for token in tokens(str(code(text))) if token.type == "code_inline"]
    assert inline.content == shown(text)


@pytest.mark.parametrize("text", [*NASTY, "```\n<b>\n````"])
def test_nothing_ends_a_block_of_code_but_its_own_fence(text: str) -> None:
    found = list(tokens(f"{fence(text, 'yaml')}\n\nafter\n"))
    assert [token.type for token in found][:2] == ["fence", "paragraph_open"]
    assert found[0].content == text.replace("\r\n", "\n").replace("<!-- hf", "<!- - hf") + "\n"


@pytest.mark.parametrize("text", NASTY)
def test_a_literal_is_python(text: str) -> None:
    written = literal([text, 1])
    assert eval(written) == [text, 1]
    assert "\u202e" not in written


@pytest.mark.parametrize(
    ("thing", "written"),
    [("top_up_failed", "top_up_failed"), ("_a_ b_", "\\_a\\_ b\\_"), (0.5, "0.5"), (None, "None"), ("4.0", "4.0")],
)
def test_plain_values_stay_readable(thing: Any, written: str) -> None:
    assert value(thing) == written


def test_numbers() -> None:
    assert [str(number(n)) for n in (0.912543, 46.25, 3, -0.5)] == ["0.9125", "46.2500", "3", "-0.5000"]
