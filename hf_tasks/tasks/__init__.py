"""The tasks, one file for each shape. A new task is one file and one name in the union below."""

from typing import Annotated

from pydantic import Field

from hf_tasks.tasks.base import DiscriminativeTask, GenerativeTask, Task
from hf_tasks.tasks.examples import Split
from hf_tasks.tasks.generation import TextToText
from hf_tasks.tasks.question_answering import QuestionAnswering
from hf_tasks.tasks.text_classification import TextClassification
from hf_tasks.tasks.token_classification import TokenClassification

AnyTask = Annotated[
    QuestionAnswering | TextClassification | TextToText | TokenClassification, Field(discriminator="name")
]

__all__ = [
    "AnyTask",
    "DiscriminativeTask",
    "GenerativeTask",
    "QuestionAnswering",
    "Split",
    "Task",
    "TextClassification",
    "TextToText",
    "TokenClassification",
]
