import struct
from pathlib import Path
from typing import Any

import pytest

from hf_tasks.publish.plots import draw_card as draw


def size(png: Path) -> tuple[int, int]:
    """(width, height) in pixels, from the file's header."""
    found: tuple[int, int] = struct.unpack(">II", png.read_bytes()[16:24])
    return found


def test_what_is_known_is_drawn_the_same_each_time(tmp_path: Path, results: dict[str, Any]) -> None:
    results["layer_weights"] = [0.1, 0.2, 0.7]
    one, two = tmp_path / "one", tmp_path / "two"
    names = [path.name for path in draw(results, one)]
    assert names == ["training_curve.png", "layer_weights.png"]
    draw(results, two)
    for name in names:
        data = (one / "pictures" / name).read_bytes()
        assert data == (two / "pictures" / name).read_bytes()
        assert b"matplotlib" not in data.lower() and b"tIME" not in data
    results["layer_weights"] = [0.7, 0.2, 0.1]
    draw(results, two)
    assert (one / "pictures" / names[1]).read_bytes() != (two / "pictures" / names[1]).read_bytes()


def test_a_curve_without_validation_has_one_panel(tmp_path: Path, results: dict[str, Any]) -> None:
    results["curve"]["validation"] = []
    [curve] = draw(results, tmp_path)
    assert size(curve) == (704, 330)


def test_a_curve_with_validation_has_two(tmp_path: Path, results: dict[str, Any]) -> None:
    [curve] = draw(results, tmp_path)
    assert size(curve) == (704, 528)


@pytest.mark.parametrize("curve", [{}, {"train": [], "validation": []}])
def test_nothing_to_draw(tmp_path: Path, results: dict[str, Any], curve: dict[str, Any]) -> None:
    results["curve"] = curve
    assert draw(results, tmp_path) == []
    assert not (tmp_path / "pictures").exists()
