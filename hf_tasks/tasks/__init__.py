"""The tasks, one file for each shape. A new task is one file and one name in the union below."""

from hf_tasks.tasks.base import DiscriminativeTask, Split, Task
from hf_tasks.tasks.text_classification import TextClassification

AnyTask = TextClassification

__all__ = ["AnyTask", "DiscriminativeTask", "Split", "Task", "TextClassification"]
