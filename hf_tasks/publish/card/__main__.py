"""`python -m hf_tasks.publish.card RUN... FOLDER`: keep the cards of runs in FOLDER, with what they are made from."""

import sys
from pathlib import Path

from hf_tasks.core.errors import UserError
from hf_tasks.publish.card.shipped_cards import publish
from hf_tasks.runs.run import Run


def main(runs: list[str], folder: str) -> None:
    for run in runs:
        print(publish(Run.load(run), Path(folder)))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python -m hf_tasks.publish.card RUN... FOLDER")
    try:
        main(sys.argv[1:-1], sys.argv[-1])
    except UserError as e:
        sys.exit(f"error: {e}")
