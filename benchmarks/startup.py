"""What the start of every command costs: processor seconds of a small call, and the large libraries it imports.

    python benchmarks/startup.py RUN [--repeats 3]

RUN is a run of text classification. Each call is a process of its own; the least of the repeats counts. The first row
imports what transformers itself needs to load such a model, as a floor for the commands that predict.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

LIBRARIES = ("torch", "transformers", "datasets", "pandas", "peft", "scipy", "matplotlib")
FLOOR = "import sys; from transformers import AutoTokenizer, BertForSequenceClassification"
COMMAND = """
import sys
from hf_tasks.cli import main
try:
    main()
except SystemExit as e:
    assert not e.code, e.code
"""
REPORT = f"\nprint([name for name in {LIBRARIES} if name in sys.modules], file=sys.stderr)"


def commands(run: str, folder: Path) -> dict[str, list[str]]:
    data = folder / "data.csv"
    data.write_text("text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(40)), encoding="utf-8")
    return {
        "--help": ["--help"],
        "recipes list": ["recipes", "list"],
        "init DATA": ["init", str(data), "-o", "-"],
        "runs": ["runs", str(Path(run).parent)],
        "verify RUN": ["verify", run],
        "card RUN": ["card", run],
        "compare RUN RUN": ["compare", run, run],
        "report RUN": ["report", run, "-o", str(folder / "report.html")],
        "predict RUN TEXT": ["predict", run, "Where is my card?"],
        "explain quickstart": ["explain", "quickstart"],
        "check quickstart --no-dry-run": ["check", "quickstart", "--no-dry-run"],
    }


def measured(code: str, arguments: list[str]) -> tuple[float, list[str]]:
    """Return the processor seconds of a process, and which of LIBRARIES it imported."""
    before = os.times()
    command = [sys.executable, "-c", code + REPORT, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after = os.times()
    seconds = after.children_user - before.children_user + after.children_system - before.children_system
    return seconds, json.loads(done.stderr.splitlines()[-1].replace("'", '"'))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print("| command | seconds | imports |\n| --- | ---: | --- |")
    with tempfile.TemporaryDirectory() as folder:
        calls = {"(transformers alone)": (FLOOR, list[str]())}
        calls |= {name: (COMMAND, call) for name, call in commands(arguments.run, Path(folder)).items()}
        for name, (code, call) in calls.items():
            found = [measured(code, call) for _ in range(arguments.repeats)]
            print(f"| `{name}` | {min(seconds for seconds, _ in found):.1f} | {', '.join(found[0][1]) or '-'} |")


if __name__ == "__main__":
    main()
