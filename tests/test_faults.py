"""A few of the states and failures that `python benchmarks/faults.py` tries all of."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).parents[1] / "benchmarks" / "faults.py"


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="the library is for Linux, and needs cc"
)
def test_a_training_survives_kills_and_failures_at_any_call() -> None:
    command = [sys.executable, str(FAULTS), "--trials", "1", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = re.findall(r"full, (.*): 1 of (\d+) tried, 0 went wrong", done.stdout)
    assert [name for name, _ in kinds] == ["states of the disk", "calls that fail"]
    assert all(int(count) > 200 for _, count in kinds)
