"""A few of the kills and failures that `python benchmarks/faults` tries all of."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).parents[1] / "benchmarks" / "faults"


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="the library is for Linux, and needs cc"
)
def test_a_training_survives_kills_and_failures_at_any_call() -> None:
    command = [sys.executable, str(FAULTS), "--kinds", "chains", "failures", "--trials", "1", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"full, (.*): 1 of (\d+) tried, 0 went wrong", done.stdout)
    assert [kind for kind, _ in found] == ["chains", "failures"]
    assert int(found[1][1]) > 400  # calls that change files
