"""What a task finds in examples, for tests."""

from typing import Any

from datasets import Dataset

from hf_tasks.tasks import EncodedSplit, Task


def errors(task: Task, example: dict[str, Any]) -> list[str]:
    """What is wrong with one example."""
    return [text for _, text in task.issues(Dataset.from_list([example])).errors]


def notes(task: Task, split: EncodedSplit) -> list[str]:
    return list(task.issues(split.examples, split.features).notes)
