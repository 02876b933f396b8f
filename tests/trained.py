"""Small trainings, one for each kind of task; their runs are what `train` writes."""

import json
from pathlib import Path
from typing import Any

import hf_tasks
from hf_tasks.recipe import from_dict
from hf_tasks.runs.run import Run

PLACES, FILMS = ("paris", "rome", "london"), (("good", "great"), ("awful", "slow"))
TASKS: dict[str, dict[str, Any]] = {
    "label": {"name": "text-classification", "metrics": ["accuracy", "per_class"], "temperature": "tuned"},
    "labels": {"name": "text-classification", "metrics": ["f1"], "threshold": "tuned"},
    "number": {"name": "text-classification", "metrics": ["mse", "pearson"]},
    "tags": {"name": "token-classification", "metrics": ["entity_f1", "tagging_accuracy"]},
    "answer": {"name": "question-answering", "version_2_with_negative": True, "doc_stride": 8},
    "translation": {"name": "translation", "metrics": ["chrf"], "max_target_length": 8},
    "search": {"name": "sentence-similarity"},
    "choice": {"name": "multiple-choice", "metrics": ["accuracy"]},
    "completion": {"name": "text-generation", "metrics": ["chrf"], "max_target_length": 8, "separator": " to:"},
}
EMPTY: dict[str, list[Any]] = {"text": [], "answer_start": []}
ARCHITECTURES = {"translation": "t5", "completion": "gpt2"}


def row(kind: str, i: int) -> dict[str, Any]:
    film, place = FILMS[i % 2][i // 2 % 2], PLACES[i % 3]
    match kind:
        case "label":
            return {"text": f"a {film} film {i}", "label": ("good", "ba|d")[i % 2]}
        case "labels":
            return {"text": f"a {film} film {i}", "labels": ["joy", "awe"][: i % 3]}
        case "number":
            return {"text": f"a {film} film", "text_pair": f"the {film} book {i}", "score": i % 5 / 4}
        case "tags":
            return {"tokens": ["anna", "saw", place, str(i)], "tags": ["B-PER", "O", "B-LOC", "O"]}
        case "answer":
            context, known = f"{i} : mary lives in {place}", i % 3 > 0
            answers = {"text": [place], "answer_start": [context.index(place)]} if known else EMPTY
            question = "where is mary" if known else "who won"
            return {"id": str(i), "question": question, "context": context, "answers": answers}
        case "translation":
            return {"source": f"the {film} film {i}", "target": f"{film} {i}"}
        case "search":
            return {"anchor": f"{i} {place}", "positive": f"mary lives in {place} {i}", "negatives": [f"a {film}"]}
        case "choice":
            choices = [place, "the queen", "a bank"][: 2 + i % 2]
            return {"context": f"{i} : mary lives in {place}", "question": "where", "choices": choices, "label": 0}
        case _:
            return {"prompt": f"the {film} film {i}", "completion": f"{film} {i}"}


def train(kind: str, base: Path, folder: Path, *, model: dict[str, Any] | None = None, method: str = "full") -> Run:
    """A run of two epochs on 16 rows in a folder, with a validation and a test split; `model`: keys of its section."""
    for name, numbers in {"train": range(16), "validation": range(16, 22), "test": range(22, 31)}.items():
        lines = "".join(json.dumps(row(kind, i)) + "\n" for i in numbers)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    recipe = {
        "name": f"trained-{kind}", "task": TASKS[kind] | {"max_length": 32},
        "data": {name: str(folder / f"{name}.jsonl") for name in ("train", "validation", "test")},
        "model": {"name_or_path": str(base)} | (model or {}),
        "method": {"name": method},
        "training": {"num_train_epochs": 2, "batch_size": 8, "bf16": False, "output_dir": str(folder / "run")},
    }  # fmt: skip
    return hf_tasks.train(from_dict(recipe))
