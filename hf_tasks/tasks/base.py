"""Task: the shape of a problem. It turns raw rows into examples, examples into features, and model outputs into
predictions; it never knows a data set.

    raw row --example--> example --encode--> features --model, reduce--> outputs --decode--> prediction

Two laws hold for every task, each one parametrised test:
alignment    len(predictions) == len(references) == len(examples)
round trip   perfect logits decode to the references
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from hf_tasks.block import Block
from hf_tasks.tasks.data_facts import Lengths, Oddity
from hf_tasks.tasks.examples import Collator, Columns, Row, Split

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

TUNED = "tuned"
"""What a key says that is to be chosen on the validation part."""


class Task(Block, ABC):
    auto_model: ClassVar[str]
    """The Auto class of transformers that carries the head, e.g. `AutoModelForTokenClassification`."""
    inputs: ClassVar[tuple[str, ...]]
    """Canonical columns that every row must have."""
    optional: ClassVar[tuple[str, ...]] = ()
    """Canonical columns that a row may have."""
    targets: ClassVar[tuple[str, ...]]
    """Canonical columns that hold what is to be predicted: a labelled row has one of them."""
    text_format: ClassVar[str] = "text"
    """The format of files that end in .txt."""
    aliases: ClassVar[dict[str, str]] = {}
    """Usual names of canonical columns in public data sets, accepted where `data.columns` does not say."""

    one_answer: ClassVar[bool] = True
    """Whether an input has one right target, so that another one contradicts it."""
    grouped_by: ClassVar[str] = ""
    """The column that examples share with others that must not stand in another part; "" where they are independent."""
    weighs_examples_equally: ClassVar[bool] = True
    """Whether every feature counts the same in the loss. Otherwise, a loss averaged over the tokens of a batch, batches
    of texts of like length would give the tokens of short texts more weight than those of long ones."""
    tokenizer_options: ClassVar[dict[str, Any]] = {}
    """What `AutoTokenizer.from_pretrained` is told."""

    name: str
    max_length: int = Field(512, ge=8)
    """The longest input in tokens; the model's own limit where that is smaller."""
    metrics: tuple[str, ...] = ()
    """What is measured; the first one chooses the best checkpoint."""

    @property
    def tunable(self) -> bool:
        """Whether `tune` has something to choose."""
        return any(value == TUNED for _, value in self)

    # -- from rows to examples

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Impossible combinations of this section's keys: (key, what is wrong; what to do)."""
        yield from ()

    def missing(self, columns: Sequence[str], labelled: bool) -> str | None:
        """What canonical column is missing, in words, or None. `labelled`: a target is needed too."""
        absent = [name for name in self.inputs if name not in columns]
        if absent:
            return f'column "{absent[0]}"'
        if labelled and not any(name in columns for name in self.targets):
            return "column " + " or ".join(f'"{name}"' for name in self.targets)
        return None

    @abstractmethod
    def example(self, row: Row) -> Row:
        """The typed example in a raw row (canonical column names, values as the file has them; target columns absent
        where the row is unlabelled). Every example of a file has the same keys and types.

        Raises ValueError: what is wrong with the row, what to do.
        """

    @abstractmethod
    def resolve(self, train: "Dataset") -> Self:
        """A copy with what only the training examples can tell filled in: the labels, the default metrics."""

    def check(self, example: Row) -> Iterator[str]:
        """What is wrong with one labelled example, given the resolved task, in the task's own terms."""
        yield from ()

    def check_all(self, examples: "Dataset") -> Iterator[tuple[int, str]]:
        """What is wrong with examples beside each other: (row, what is wrong; what to do)."""
        yield from ()

    def strata(self, example: Row) -> tuple[str, ...]:
        """The groups, e.g. labels, whose shares a held-out split keeps; the same one for all where it has no
        meaning."""
        return ("",)

    def usage(self) -> tuple[str, ...]:
        """The columns that a person would give for one prediction."""
        return self.inputs

    # -- what may be odd in the data

    def unit(self) -> str:
        """What one example is called, several of them."""
        return "texts"

    def compared(self) -> tuple[str, ...]:
        """The columns that make two examples the same input."""
        return self.inputs

    def target(self, examples: "Dataset") -> str:
        """The column of labelled examples that holds what is to be predicted."""
        return next(name for name in self.targets if name in examples.column_names)

    def target_words(self) -> str:
        """What is to be predicted, in the plural."""
        return "targets"

    def oddities(self, examples: "Dataset") -> Iterator[Oddity]:
        """What is odd in labelled examples, in the task's own terms."""
        yield from ()

    def lengths(self, split: Split) -> Iterator[Lengths]:
        """How long the examples are, and what is cut."""
        yield Lengths.of(split, self.unit(), self.max_length)

    # -- tokenizer and model

    def set_languages(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        """Tell a freshly loaded tokenizer of several languages which ones are meant. RecipeError for unknown ones."""

    def set_first_token(self, model: Any, tokenizer: "PreTrainedTokenizerBase") -> None:
        """Tell a freshly loaded model which token its texts begin with, where the language decides."""

    # -- from examples to features

    def head_config(self) -> dict[str, Any]:
        """What goes into the model's configuration: num_labels, id2label, label2id, problem_type."""
        return {}

    def limit(self, tokenizer: "PreTrainedTokenizerBase") -> int:
        """The longest input in tokens, for this task and model."""
        return int(min(self.max_length, tokenizer.model_max_length))

    @abstractmethod
    def encode(self, examples: Columns, tokenizer: "PreTrainedTokenizerBase") -> Columns:
        """Features of a batch of examples: the tokenizer's columns; `example` (int, row in this batch); `length` (int,
        tokens); `tokens_cut` (int, tokens lost to truncation); `labels` where the examples are labelled."""

    @abstractmethod
    def references(self, examples: "Dataset") -> list[Any]:
        """What a perfect prediction would be, one per example, in the form that the metrics read."""

    @abstractmethod
    def answer(self, prediction: Row) -> Any:
        """The part of a prediction that is compared with a reference."""

    def summary(self, split: Split) -> list[str]:
        """What people should know of a part before training, in the task's own terms; one line each."""
        return []

    def memory(self, train: "Dataset") -> dict[str, Any]:
        """What metrics must know of the training examples (plain JSON values), e.g. the vocabulary."""
        return {}

    def context(self, examples: "Dataset") -> dict[str, Any]:
        """What metrics may ask, by parameter name, of the examples that they score, e.g. the sources."""
        return {}

    def confidence(self, predictions: list[Row], references: list[Any]) -> dict[str, Any]:
        """What metrics may ask, by parameter name, of how sure the predictions are: `decisions`, `probabilities` (see
        metrics/probability.py)."""
        return {}

    def tally(self, predictions: list[Row]) -> dict[str, int]:
        """What is counted in predictions beside the metrics."""
        return {}

    def texts(self, examples: "Dataset") -> Iterator[str]:
        """All texts of examples, for a tokenizer that is learned from them."""
        for name in self.inputs:
            yield from examples[name]

    # -- from features to outputs

    def collator(self, tokenizer: "PreTrainedTokenizerBase", model: Any) -> Collator:
        """Features to the padded tensors that the model reads."""
        from hf_tasks.tasks.collate import PaddingCollator

        return PaddingCollator(tokenizer)

    @abstractmethod
    def loss(self, outputs: Any, labels: "Tensor", num_items_in_batch: "Tensor | int | None" = None) -> "Tensor":
        """The training loss (scalar): a sum over items divided by `num_items_in_batch`, the number of labels that are
        not -100 in the whole accumulated batch; None: in this batch."""

    @abstractmethod
    def reduce(self, outputs: Any, features: Columns) -> list[Any]:
        """What is kept of the model's outputs for a batch of features: one small item (numpy) per feature, so
        that the logits of a whole part are never in memory at once. `features` are rows of `Split.features`."""

    def for_scores(self) -> "Task":
        """The same task, whose predictions may lack what no metric reads."""
        return self


class DiscriminativeTask(Task):
    """A task whose predictions are read off the model's logits."""

    @abstractmethod
    def decode(self, outputs: list[Any], split: Split) -> list[Row]:
        """One prediction per example, from the items of `reduce`, one per feature, in the order of the features."""

    def tune(self, outputs: list[Any], split: Split) -> Self:
        """A copy whose decision thresholds and temperature suit the validation part best; stored in the run. `outputs`
        as for `decode`."""
        return self


class GenerativeTask(Task):
    """A task whose predictions are texts that the model writes."""

    max_target_length: int
    """The longest target in tokens."""

    @abstractmethod
    def prompts(self, examples: Columns) -> list[str]:
        """What the model reads, one text per example."""

    @abstractmethod
    def unsmoothed(self) -> Self:
        """The same task, whose loss is the plain negative log-likelihood."""
