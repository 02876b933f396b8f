"""Real processes, really killed at random moments; the full run is `python benchmarks/chaos.py --kills 30`."""

import subprocess
import sys
from pathlib import Path

CHAOS = Path(__file__).parents[1] / "benchmarks" / "chaos.py"


def test_killed_trainings_end_with_the_same_weights() -> None:
    command = [sys.executable, str(CHAOS), "--kills", "3", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("3 hits in ")
    assert done.stdout.splitlines()[-1].endswith(" runs, 0 of them came out different")
