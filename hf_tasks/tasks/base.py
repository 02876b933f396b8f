"""Task: the shape of a problem. It never knows a dataset.

    row --parse--> example --encode--> features --model--> outputs --postprocessor--> prediction

Two laws hold for every task (tests/tasks/test_laws.py):
alignment    len(predictions) == len(references) == len(examples)
round trip   perfect outputs become predictions that equal the references
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from hf_tasks.core.section import Section
from hf_tasks.tasks.collate import PaddingCollator
from hf_tasks.tasks.types import (
    Batch,
    Collator,
    Columns,
    Example,
    Examples,
    Features,
    Issues,
    MetricInputs,
    ModelSpec,
    Postprocessor,
    Prediction,
    RawRow,
    Traits,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

TUNED = "tuned"
"""The value of a key that is chosen on the validation split."""


class Task(Section, ABC):
    name: str
    max_length: int = Field(512, ge=8)
    """The longest input in tokens; the model's own limit where that is smaller."""
    metrics: tuple[str, ...] = ()
    """Names of metrics; the best checkpoint is the one with the best value of the first."""

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Impossible combinations of this section's keys: (key, what is wrong; what to do)."""
        yield from ()

    @property
    @abstractmethod
    def columns(self) -> Columns:
        """The columns of its rows."""

    @property
    @abstractmethod
    def traits(self) -> Traits:
        """Its properties that code for all tasks reads: nouns, groups, whether it generates texts."""

    @property
    @abstractmethod
    def model_spec(self) -> ModelSpec:
        """The model and the tokenizer that it needs."""

    @abstractmethod
    def parse(self, row: RawRow) -> Example:
        """The example in a row; all examples of a file have the same keys and types.

        Raises ValueError: what is wrong with the row, what to do.
        """

    @abstractmethod
    def fit(self, train: "Dataset", label_columns: tuple[str, ...] = ()) -> Self:
        """A copy with the values that follow from the training examples, such as the labels and the default metrics.
        `label_columns`: the columns of the files that each say whether one label applies.

        Raises ValueError where the examples do not fit the task's keys.
        """

    def train_stats(self, train: "Dataset") -> dict[str, Any]:
        """Statistics of the training examples that metrics need, e.g. the vocabulary; JSON values."""
        return {}

    @abstractmethod
    def issues(self, examples: "Dataset", features: "Dataset | None" = None) -> Issues:
        """Errors, warnings and notes of labelled examples, given the fitted task; some need the `features` too."""

    @abstractmethod
    def encode(self, examples: Examples, tokenizer: "PreTrainedTokenizerBase") -> Features:
        """Features of a batch of examples, N >= E: the model's inputs, of any nesting; `example`, the row in this
        batch; `length`, in tokens; `tokens_cut`, the tokens lost to truncation; `labels` where the examples are
        labelled. With `target_length` and `target_tokens_cut` where targets are texts."""

    def collator(self, tokenizer: "PreTrainedTokenizerBase", model: Any) -> Collator:
        """Features to the padded tensors that the model and the loss read."""
        return PaddingCollator(tokenizer)

    @abstractmethod
    def loss(self, outputs: Any, batch: Batch, items: "Tensor | int | None" = None) -> "Tensor":
        """The training loss (scalar) of the model's outputs for a batch: a sum divided by `items`, what
        `collate.items_in` counts in the whole accumulated batch; None: in this one."""

    @abstractmethod
    def postprocessor(self, *, scores_only: bool = False) -> Postprocessor:
        """From outputs to predictions. `scores_only`: predictions may lack what no metric reads."""

    @abstractmethod
    def metric_inputs(self, predictions: list[Prediction], examples: "Dataset") -> MetricInputs:
        """The inputs of metrics for predictions of labelled examples."""
