"""Drawings: texts stay texts, colours are the page's, the same numbers give the same drawing."""

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np

from hf_tasks.publish import plots

EVIL = ["<script>alert(1)</script>", '"><img onerror=x>', "$x_2$", "_private", "中文 ñ", "a\x08b\nc"]


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()).strip() for element in ElementTree.fromstring(svg).iter("text")]


def test_labels_stay_text() -> None:
    drawn = plots.heat_map("Confused", np.eye(6, dtype=int) * 7, EVIL, EVIL)
    found = texts(drawn.svg)
    assert found.count("$x_2$") == 2
    assert found.count("_private") == 2
    assert found.count("中文 ñ") == 2
    assert found.count("a b c") == 2
    assert found.count('"><img onerror=x>') == 2
    assert found.count("<script>ale…)</script>") == 2
    assert found.count("7") == 6
    assert "<script" not in drawn.svg
    assert "<img" not in drawn.svg


def test_colours_are_those_of_the_page() -> None:
    svg = plots.histogram("H", np.arange(10.0), "tokens", [(4.0, "limit")]).svg
    assert "var(--blue)" in svg
    assert "var(--orange)" in svg
    assert "currentColor" in svg
    assert not re.search("#[0-9a-f]{6}", svg)
    assert {"tokens", "examples", "limit"} <= set(texts(svg))


def test_a_drawing_is_as_wide_as_there_is_room_and_names_itself() -> None:
    root = ElementTree.fromstring(plots.histogram('A "title" & <more>', np.arange(9.0), "x").svg)
    assert root.tag == "svg"
    assert "width" not in root.attrib
    assert root.attrib["style"] == "max-width: 552px"
    assert root.attrib["viewBox"] == "0 0 331.2 216"
    assert root.attrib["aria-label"] == 'A "title" & <more>'
    assert [element.tag for element in root.iter("metadata")] == []


def test_nothing_is_loaded() -> None:
    svg = plots.histogram("H", np.arange(10.0), "tokens").svg
    assert "http" not in svg
    links = [value for e in ElementTree.fromstring(svg).iter() if (value := e.attrib.get("href"))]
    assert len(links) > 10 and {link[0] for link in links} == {"#"}


def test_the_same_numbers_give_the_same_drawing() -> None:
    draw: Any = lambda axes: axes.plot([0, 1], [1, 0], color=plots.BLUE, marker="o")  # noqa: E731
    assert plots.picture("P", draw).svg == plots.picture("P", draw).svg


def test_large_matrices_are_wide() -> None:
    names = [f"label {i}" for i in range(16)]
    assert plots.heat_map("M", np.eye(16, dtype=int), names, names).wide
    assert not plots.heat_map("M", np.eye(8, dtype=int), names[:8], names[:8]).wide


def test_long_labels_keep_beginning_and_end() -> None:
    long = "balance_not_updated_after_bank_transfer"
    assert plots.shown(long) == "balance_not…k_transfer"
    assert len(plots.shown(long)) == 22
    assert plots.shown("short") == "short"


def test_lines_are_thinned_evenly() -> None:
    x = np.arange(10_000.0)[::-1]
    thin, y = plots.thinned(x, x * 2)
    assert len(thin) <= 200
    assert (thin[0], thin[-1]) == (0, 9999)
    assert (y == thin * 2).all()
    assert [column.tolist() for column in plots.thinned(np.array([2, 1]), np.array([5, 6]))] == [[1, 2], [6, 5]]
