"""The tasks, one file or folder for each shape. A new task is one file and one name in the union below."""

from typing import Annotated

from pydantic import Field

from hf_tasks.tasks.base import Task
from hf_tasks.tasks.coreference import Coreference
from hf_tasks.tasks.few_shot import FewShotClassification
from hf_tasks.tasks.fill_mask import FillMask
from hf_tasks.tasks.multiple_choice import MultipleChoice
from hf_tasks.tasks.question_answering import QuestionAnswering
from hf_tasks.tasks.sentence_similarity import SentenceSimilarity
from hf_tasks.tasks.text2text import TextToText
from hf_tasks.tasks.text_classification import TextClassification
from hf_tasks.tasks.text_generation import TextGeneration
from hf_tasks.tasks.token_classification import TokenClassification
from hf_tasks.tasks.types import EncodedSplit

AnyTask = Annotated[
    Coreference
    | FewShotClassification
    | FillMask
    | MultipleChoice
    | QuestionAnswering
    | SentenceSimilarity
    | TextClassification
    | TextGeneration
    | TextToText
    | TokenClassification,
    Field(discriminator="name"),
]

__all__ = [
    "AnyTask",
    "Coreference",
    "EncodedSplit",
    "FewShotClassification",
    "FillMask",
    "MultipleChoice",
    "QuestionAnswering",
    "SentenceSimilarity",
    "Task",
    "TextClassification",
    "TextGeneration",
    "TextToText",
    "TokenClassification",
]
