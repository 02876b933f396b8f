"""Two runs on the same examples; and results as a table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hf_tasks import data
from hf_tasks.core.errors import RunError
from hf_tasks.core.terminal import table
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.runs.compare import compare, lines
from hf_tasks.runs.evaluation import Predicted


@dataclass(frozen=True)
class Answers:
    """A run whose predictions are given."""

    path: Path
    recipe: Recipe
    labels: list[str]
    train_stats: ClassVar[dict[str, Any]] = {}

    def predict_split(self, split: Any, description: str) -> Predicted:
        return Predicted([{"label": label} for label in self.labels], None)


def recipe(task: str = "text-classification") -> Recipe:
    metrics = {"text-classification": ["accuracy"], "question-answering": ["squad"]}[task]
    labels = {"labels": ["no", "yes"], "problem_type": "single_label_classification"} if "text" in task else {}
    return from_dict(
        {
            "name": "x",
            "task": {"name": task, "metrics": metrics, **labels},
            "data": {"train": "x.csv"},
            "model": {"name_or_path": "y"},
        }
    )


def test_two_runs_on_eight_rows() -> None:
    """The second has five right that the first has wrong, the first one that the second has wrong: 7 of 64."""
    split = data.read_rows([{"text": f"t{i}", "label": "yes"} for i in range(8)], recipe().task, labelled=True)
    first = Answers(Path("a"), recipe(), ["yes", "no", "no", "no", "no", "no", "yes", "no"])
    second = Answers(Path("b"), recipe(), ["no", "yes", "yes", "yes", "yes", "yes", "yes", "no"])
    found = compare(first, second, split)  # type: ignore[arg-type]
    (test,) = found.tests
    assert (test.value, test.first, test.second, test.method) == ("accuracy", 2 / 8, 6 / 8, "McNemar, exact")
    assert test.p == pytest.approx(2 * (1 + 6) / 64)
    assert [row["text"] for row in found.changed] == ["t0", "t1", "t2", "t3", "t4", "t5"]
    assert found.changed[0] == {
        "where": "row 1", "text": "t0", "label": "yes", "reference": "yes", "first": "yes", "second": "no",
    }  # fmt: skip
    text = list(lines(found, first.path, second.path))
    assert text[0] == "8 examples; first: a, second: b"
    assert text[2].split()[:4] == ["accuracy", "0.2500", "0.7500", "+0.5000"]
    assert text[3] == "  6 of 8 predictions differ"


def test_runs_of_two_tasks_are_not_compared() -> None:
    runs = Answers(Path("a"), recipe(), []), Answers(Path("b"), recipe("question-answering"), [])
    with pytest.raises(RunError) as error:
        compare(*runs, None)  # type: ignore[arg-type]
    assert str(error.value) == "b: its task is question-answering, not text-classification; compare runs of one task"


def test_a_table_shows_intervals_beside_their_values() -> None:
    results = {
        "n": 8,
        "accuracy": 0.25,
        "per_class": {"no": {"f1": 0.5}, "yes": {"f1": 1.0}},
        "entity_errors": {"missed": 2},
        "intervals": {"accuracy": [0.1, 0.5]},
    }
    assert table(results).splitlines() == [
        "  n                      8",
        "  accuracy               0.2500   [0.1000, 0.5000]",
        "  per_class         f1",
        "  no            0.5000",
        "  yes           1.0000",
        "  entity_errors: missed 2",
    ]


def test_classes_are_not_compared_with_numbers() -> None:
    split = data.read_rows([{"text": "t", "label": "yes"}], recipe().task, labelled=True)
    number = recipe().model_copy(update={"task": recipe().task.model_copy(update={"problem_type": "regression"})})
    with pytest.raises(RunError) as e:
        compare(Answers(Path("a"), recipe(), ["yes"]), Answers(Path("b"), number, []), split)  # type: ignore[arg-type]
    assert str(e.value) == (
        "b: its task is text-classification (regression), not text-classification (single label classification); "
        "compare runs of one task"
    )
