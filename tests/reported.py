"""Runs to report on, made without any training: files as a run has them, and a model that is a plain function."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from hf_tasks.core.hashing import sha256
from hf_tasks.recipe import from_dict
from hf_tasks.runs.run import Run

BAD_WORDS = ("bad", "awful", "slow")
ENVIRONMENT = {
    "python": "3.11", "platform": "Linux", "processor": "A chip", "cpu_count": 2, "accelerator": None,
    "packages": {"hf_tasks": "0.1.0"}, "recipe_folder": None,
}  # fmt: skip


@dataclass(frozen=True)
class StubRun(Run):
    """A run whose model says by a text's words how bad it is; it counts the rows that it is asked."""

    folder: Path = Path()
    """Of the tokenizer."""
    asked: list[Any] = field(default_factory=list)

    @property
    def tokenizer(self) -> Any:  # type: ignore[override]
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.folder, add_prefix_space=True)

    @property
    def model(self) -> Any:  # type: ignore[override]
        from torch import nn

        return nn.Linear(2, 2)

    def predict(self, rows: Any = None, **columns: Any) -> Any:
        self.asked.extend(rows)
        return [self._prediction(row) for row in rows]

    def _prediction(self, row: dict[str, Any]) -> dict[str, Any]:
        words = " ".join(row.values()).split()
        p = 1 / (1 + math.exp(-sum(2.0 for word in words if word in BAD_WORDS)))
        return {"score": p, "probabilities": defaultdict(lambda: p, positive=1 - p)}


Make = Callable[..., StubRun]


SENTIMENT = {
    "name": "text-classification", "problem_type": "single_label_classification", "labels": ["negative", "positive"],
    "metrics": ["accuracy", "f1"],
}  # fmt: skip


def said(*positive: float) -> list[dict[str, Any]]:
    """Predictions of SENTIMENT, by the probability of "positive"."""
    return [
        {"label": "positive" if p > 0.5 else "negative", "score": max(p, 1 - p),
         "probabilities": {"negative": 1 - p, "positive": p}}
        for p in positive
    ]  # fmt: skip


def maker(tmp_path: Path, tokenizer: Path) -> Make:
    """`make(task, rows, predictions, values)`: a run whose test part are the rows, with the predictions."""

    def made(
        task: dict[str, Any], rows: list[dict[str, Any]], predictions: list[dict[str, Any]], values: dict[str, Any],
        **recipe: Any,
    ) -> StubRun:  # fmt: skip
        data, path = tmp_path / "test.jsonl", tmp_path / "run"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        results = {
            "test": {"n": len(rows), **values},
            "data": {"test": {"examples": len(rows), "features": len(rows), "dropped": 0, "tokens_cut": 0,
                              "files": {str(data): sha256(data)}}},
            "training": {
                "seconds": 75.2, "parameters": 100, "parameters_trained": 25, "epochs": 2.0, "steps": 40,
                "precision": "float32",
            },  # fmt: skip
            "environment": ENVIRONMENT,
            "energy": {"wh": 1.5, "watts": 20.0, "from": "assumed"},
        }  # fmt: skip
        (path / "predictions").mkdir(parents=True)
        lines = "".join(json.dumps(row) + "\n" for row in predictions)
        (path / "predictions" / "test.jsonl").write_text(lines, encoding="utf-8")
        log = [{"step": 10, "loss": 1.0, "learning_rate": 0.1}, {"step": 20, "loss": 0.5, "learning_rate": 0.05}]
        log += [{"step": step, "eval_loss": 0.7, "eval_accuracy": step / 40} for step in (10, 20)]
        (path / "training_log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log), encoding="utf-8")
        for name, content in {"results": results, "train_stats": {}, "environment": ENVIRONMENT}.items():
            (path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        splits = {"train": str(data), "validation": str(data), "test": str(data)}
        given = {"name": "tried", "task": task, "data": splits, "model": {"name_or_path": "org/model"}, **recipe}
        return StubRun(path, from_dict(given), tokenizer)

    return made


SAFE = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "nav", "a", "section", "h1", "h2",
    "h3", "p", "div", "span", "b", "i", "dl", "dt", "dd", "ul", "li", "br", "table", "thead", "tbody", "tr", "th", "td",
    "figure", "figcaption", "article", "mark", "small", "svg", "g", "path", "text", "tspan", "defs", "use", "rect",
    "clippath",
}  # fmt: skip


class Page(HTMLParser):
    """The elements and attributes of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attributes]

    def handle_data(self, data: str) -> None:
        self.text += data


def harmless(html: str) -> Page:
    """The page, if it can neither run nor load anything."""
    page = Page(html)
    assert page.tags - SAFE == set()
    for name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "srcset", "action", "data", "formaction")
        assert not name.endswith("href") or value.startswith("#")
        assert name != "style" or re.sub(r"url\(#[\w-]+\)", "", value).count("url(") == 0
    return page


def titles(html: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", html)
