"""The page: values as text, whatever they hold; nothing that runs or loads."""

import pytest
from markupsafe import Markup

from hf_tasks.publish.report.blocks import (
    Example,
    Examples,
    Facts,
    Paragraph,
    Picture,
    ReportSection,
    Span,
    Table,
    clipped,
)
from hf_tasks.publish.report.page import cell, is_wide, page
from hf_tasks.publish.results_view import Headline, Interval

HEADER = {"name": "n", "task": "t", "score": None, "tiles": [], "verdict": []}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (True, "True"), ("$x_2$", "$x_2$"), (1234567, "1,234,567"), (0.91254, "0.9125"),
        (59.82504, "59.83"), (-1234.5, "-1,234.50"), (float("nan"), "–"), (Interval(0.1, 0.25), "0.1000 to 0.2500"),
    ],
)  # fmt: skip
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


def test_every_block_escapes_its_texts() -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    blocks = [
        Paragraph(evil),
        Facts([(evil, evil)]),
        Table(evil, [evil], [[evil], [(Span(evil, "gold", evil),)]], more=2),
        Picture(evil, Markup("<svg></svg>"), [("red", evil)]),
        Examples(evil, [Example(evil, [(evil, evil)], [(evil, (Span(evil, "for", evil, 0.5),))])], 3, [("for", evil)]),
    ]
    header = {"name": evil, "task": evil, "tiles": [(evil, evil)], "verdict": [evil]}
    header["score"] = Headline(evil, evil, 9, 0.5, Interval(0.25, 0.75), None)
    html = page(evil, header, [ReportSection(evil, blocks)])
    assert "<script" not in html
    assert "<img" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;&#34;&gt;&lt;img src=x onerror=alert(1)&gt;") == 28
    assert "0.2500 to 0.7500" in html
    assert "and 2 more" in html
    assert "and 3 more" in html


def test_sections_without_blocks_are_left_out() -> None:
    html = page("t", HEADER, [ReportSection("Empty"), ReportSection("Full", [Paragraph("words")])])
    assert "Empty" not in html
    assert '<a href="#s1">Full</a>' in html
    assert '<section id="s1">\n<h2>Full</h2>' in html


def test_nothing_may_run_or_load() -> None:
    html = page("t", HEADER, [])
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in html
    assert "http:" not in html
    assert "https:" not in html
    assert "prefers-color-scheme: dark" in html


def test_marks_keep_the_blanks_between_words() -> None:
    spans = (Span("Ann ", ""), Span("Lee", "gold", "PER"), Span(" met"))
    html = page("t", HEADER, [ReportSection("s", [Examples("e", [Example("w", [], [("", spans)])])])])
    assert '<p dir="auto">Ann <mark class="gold" style="--s:1.00">Lee<small>PER</small></mark> met</p>' in html


def test_tables_that_are_too_long_or_too_wide() -> None:
    table = Table("t", ["a"], [[i] for i in range(7)]).first(5)
    assert (table.rows, table.more, is_wide(table)) == ([[0], [1], [2], [3], [4]], 2, False)
    assert is_wide(Table("t", ["a", "b"], [["x" * 60, 1]]))
    assert is_wide(Table("t", ["a"], [[(Span("x"),)]]))
    assert not is_wide(Table("t", ["slice", "n", "accuracy", "95 % interval"], [["1 to 3", 5, 0.5, Interval(0, 1)]]))
    assert clipped("abcdef", 4) == "abc…"
    assert clipped("abcd", 4) == "abcd"
