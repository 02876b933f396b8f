"""`python there_and_back.py BASE`: what test_there_and_back does in a process of its own; prints what it found."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

import hf_tasks
from hf_tasks import cli
from hf_tasks import recipe as recipes
from hf_tasks.data import Data, read_split
from hf_tasks.publish.card import checks
from hf_tasks.publish.hub import push
from hf_tasks.runs.run import Run
from hf_tasks.runs.staged_run import StagedRun
from hf_tasks.tasks import TextClassification

TEXTS = ["a good film", "a bad film"]


def trained(base: str, name: str, method: str) -> Run:
    sections: dict[str, Any] = {
        "name": name,
        "task": {"name": "text-classification"},
        "data": {"path": "org/rows", "train": "train", "validation_size": 0.25},
        "model": {"name_or_path": base},
        "method": {"name": method},
        "training": {"num_train_epochs": 1, "learning_rate": 1e-3, "output_dir": f"runs/{name}"},
        "hub": {"repo_id": f"org/{name}", "tag": "v1"},
    }
    return hf_tasks.train(recipes.from_dict(sections))


def logits(place: str, **options: Any) -> torch.Tensor:
    tokenizer = AutoTokenizer.from_pretrained(place, **options)
    model = AutoModelForSequenceClassification.from_pretrained(place, **options).eval()
    with torch.inference_mode():
        return model(**tokenizer(TEXTS, return_tensors="pt", padding=True)).logits


def adapter_logits(place: str) -> list[list[float]]:
    """By PEFT alone, on the base that the recipe names."""
    from peft import AutoPeftModelForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained("org/base")
    model = AutoPeftModelForSequenceClassification.from_pretrained(place, num_labels=2).eval()
    with torch.inference_mode():
        return model(**tokenizer(TEXTS, return_tensors="pt", padding=True)).logits.tolist()


def card_is_true(run: Run) -> bool:
    """Its snippets run as they are printed, on the base of the Hub; in this process, which is faster."""

    def run_here(code: str, *, offline: bool) -> subprocess.CompletedProcess[str]:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, {"__name__": "__main__"})
        return subprocess.CompletedProcess([], 0, printed.getvalue(), "")

    checks._run = run_here  # type: ignore[assignment]
    card = (run.path / "README.md").read_text(encoding="utf-8")
    revision = f'from_pretrained("org/base", revision="{run.recipe.model.revision}", config=config)'
    return checks.check(run, run_snippets=True) == [] and revision in card and "LABEL_" not in card


def predicted(place: str) -> list[dict[str, Any]]:
    return hf_tasks.load_run(place).predict([{"text": text} for text in TEXTS])


def from_the_command_line(place: str) -> list[dict[str, Any]]:
    Path("texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        cli.app(["predict", place, "texts.txt", "--no-inputs"], standalone_mode=False)
    return [json.loads(line) for line in printed.getvalue().splitlines()]


def main(base: str) -> None:
    StagedRun.verify = lambda *_: None  # type: ignore[method-assign]  # saves a process, and the next line two
    push.check_card = lambda *_: None  # type: ignore[assignment]
    task = TextClassification(name="text-classification")
    rows = read_split(Data(path="org/rows", train="train"), "train", task, seed=0)
    assert rows is not None
    full = trained(base, "full", "full")
    split, lora = trained("org/base", "part", "bitfit"), trained("org/base", "lora", "lora")
    here = predicted(str(full.path))
    found = {
        "rows": list(rows.rows()),
        "logits": torch.equal(logits(str(full.path)), logits("org/full", revision="v1")),
        "predictions": here == predicted("org/full@v1"),
        "command line": here == from_the_command_line("org/full"),
        "part": predicted(str(split.path)) == predicted("org/part"),
        "adapter": predicted(str(lora.path)) == predicted("org/lora"),
        "card": card_is_true(lora),
        "labels": AutoConfig.from_pretrained("org/lora").id2label == {0: "bad", 1: "good"},
        "architecture": AutoConfig.from_pretrained("org/lora").architectures == ["BertForSequenceClassification"],
        "pinned": hf_tasks.load_run("org/lora").recipe.model.revision
        == PeftConfig.from_pretrained("org/lora").revision,
        "peft": adapter_logits(str(lora.path)) == adapter_logits("org/lora"),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
