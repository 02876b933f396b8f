"""Print a saved run's outputs on some examples as a JSON list: `python -m hf_tasks.runs.verify RUN < examples.json`.

`StagedRun.verify` starts it as a separate process, so that the outputs depend only on the saved files.
"""

import json
import os
import sys


def main(path: str) -> None:
    from hf_tasks.core.signals import exit_with_parent

    exit_with_parent(os.getppid())
    from datasets import Dataset

    from hf_tasks.runs import evaluation
    from hf_tasks.runs.run import Run

    run = Run.load(path)
    split = evaluation.encode(Dataset.from_list(json.load(sys.stdin)), run.recipe.task, run.tokenizer)
    items, _ = evaluation.outputs(run.model, run.recipe.task, split, run.tokenizer)
    json.dump(evaluation.flat(items).tolist(), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
