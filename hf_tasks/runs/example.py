"""One short example of a run and its prediction, for the model card and the demo."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hf_tasks.tasks import Task

if TYPE_CHECKING:
    from datasets import Dataset

ROWS_FOR_EXAMPLE = 50
SHORT = 300
"""Number of characters up to which an example is short."""
LEFT_OUT = ("id", "probabilities", "scores", "nbest", "offsets")
"""Keys of a prediction that are not shown."""


def example(task: Task, examples: "Dataset", predictions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the first short example, or the shortest of the first ones, with its prediction."""
    inputs = task.traits.inputs
    names = inputs if set(inputs) <= set(examples.column_names) else task.columns.required
    few = [{name: row[name] for name in names} for row in examples.select(range(min(ROWS_FOR_EXAMPLE, len(examples))))]
    sizes = [len(json.dumps(one, ensure_ascii=False)) for one in few]
    row = next((i for i, size in enumerate(sizes) if size <= SHORT), sizes.index(min(sizes)))
    kept = {key: value for key, value in predictions[row].items() if key not in LEFT_OUT}
    return {"input": few[row], "prediction": kept}
