"""Hard negatives: near texts that are neither positives nor too close, in the order of their cosines."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Tiny
from typer.testing import CliRunner

from hf_tasks.cli import app
from hf_tasks.core.errors import DataError
from hf_tasks.runs import mine

DEGREES = {"q": 0, "best": 20, "also": 10, "close": 22, "near": 30, "far": 60, "q2": 65}


class Known:
    """An encoder whose texts have known angles."""

    def vectors(self, texts: Sequence[str], description: str) -> np.ndarray:
        angles = np.radians([DEGREES[text] for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)


ROWS: list[Any] = [
    {"anchor": "q", "positive": "best", "negatives": ["near", "close"]},
    {"anchor": "q", "positive": "also"},
    {"anchor": "q2", "positive": "far"},
]


@pytest.mark.parametrize(("margin", "expected"), [(0.05, ["near", "far"]), (0.0, ["close", "near"])])
def test_positives_and_what_is_about_as_close_are_left_out(margin: float, expected: list[str]) -> None:
    found = list(mine.mined(ROWS, Known(), negatives=2, margin=margin, nearest=10))  # type: ignore[arg-type]
    assert [row["positive"] for row in found] == ["best", "also", "far"]
    assert found[0]["negatives"] == expected
    assert found[2]["negatives"] == ["near", "close"]
    few = list(mine.mined(ROWS, Known(), negatives=2, margin=0.05, nearest=1))  # type: ignore[arg-type]
    assert few[0]["negatives"] == []


def test_the_command_writes_rows_to_train_on(tiny: Tiny, tmp_path: Path) -> None:
    pairs, out = tmp_path / "pairs.csv", tmp_path / "mined.jsonl"
    pairs.write_text("question,positive\nwho won,the king won\nwho died,the queen died\nwhere,in paris\n")
    command = ["mine", str(pairs), "--model", str(tiny("bert")), "-o", str(out), "--column", "anchor=question"]
    result = CliRunner().invoke(app, [*command, "--margin", "0", "--negatives", "1"])
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["anchor"] for row in rows] == ["who won", "who died", "where"]
    assert all(len(row["negatives"]) <= 1 and row["positive"] not in row["negatives"] for row in rows)


def test_a_wrong_column_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--column question: give for example anchor=question"):
        mine.read(str(tmp_path / "none.csv"), ["question"])
