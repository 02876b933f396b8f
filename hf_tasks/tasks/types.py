"""The types of a task's data at each stage, and of its interface.

row (as a file has it) --parse--> example --encode--> features --model, postprocessor--> prediction
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase


RawRow = dict[str, Any]
"""A row as its file has it: the task's column names, values of any type."""
Example = dict[str, Any]
"""A row with the task's columns and types; targets are absent where it is unlabelled."""
Examples = dict[str, list[Any]]
"""A batch of examples, column by column."""
Features = dict[str, list[Any]]
"""A batch of encoded examples, column by column; see `Task.encode`."""
Prediction = dict[str, Any]
"""What a model predicts for one example; JSON values."""
Batch = dict[str, "Tensor"]
"""What a collator returns. `labels` and columns named `loss_...` are for the loss, all others for the model."""
Collator = Callable[[list[dict[str, Any]]], Batch]


@dataclass(frozen=True)
class EncodedSplit:
    """One split of the data, ready for a model."""

    examples: "Dataset"
    """E examples."""
    features: "Dataset"
    """N >= E features in the order of their examples; column `example` is the row of `examples`, `length` is in tokens.
    An example that is longer than the model may give several windows."""
    tokenizer: "PreTrainedTokenizerBase | None" = None
    """The tokenizer of the features, for predictions that are tokens."""
    support: Sequence[Any] = ()
    """The items of the task's labelled examples (`Traits.support`), for predictions by comparison with them."""


@dataclass(frozen=True)
class Columns:
    """The columns of a task's rows."""

    required: tuple[str, ...]
    """Every row has them."""
    targets: tuple[str, ...]
    """They hold what is predicted: a labelled row has one of them."""
    optional: tuple[str, ...] = ()
    implied: tuple[str, ...] = ()
    """Targets that no file has, as they follow from the inputs: True in every labelled row."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Usual names of columns in public datasets, accepted where `data.columns` does not say."""
    instead: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns that can take the place of a required one or of a target."""
    companions: Mapping[str, str] = field(default_factory=dict)
    """Targets that need a second column."""
    lists: tuple[str, ...] = ()
    """Those whose value may be several columns of a file."""

    @property
    def known(self) -> tuple[str, ...]:
        """All of them."""
        found = (*self.required, *self.optional, *(name for name in self.targets if name not in self.implied))
        return tuple(dict.fromkeys(found))

    def missing(self, found: Sequence[str], *, labelled: bool) -> str | None:
        """The first column that `found` lacks, in words, or None. `labelled`: a target is needed too."""
        for name in self.required:
            if not self._has(name, found):
                return _either((name, *self.instead.get(name, ())))
        if not labelled:
            return None
        targets = [name for name in self.targets if self._has(name, found)]
        if not targets:
            return _either(self.targets)
        alone = [other for name in targets if (other := self.companions.get(name)) and other not in found]
        return _either(alone[:1]) if len(alone) == len(targets) else None

    def target(self, found: Sequence[str]) -> str:
        """The column of labelled examples with the columns `found` that holds what is predicted."""
        return next(name for name in self.targets if name in found)

    def _has(self, name: str, found: Sequence[str]) -> bool:
        return not {name, *self.instead.get(name, ())}.isdisjoint(found)


def _either(names: Sequence[str]) -> str:
    return "column " + " or ".join(f'"{name}"' for name in names)


def _one_stratum(example: Example) -> tuple[str, ...]:
    return ("",)


@dataclass(frozen=True)
class Traits:
    """Properties of a task that code for all tasks reads."""

    examples: str = "texts"
    """What examples are called, in the plural."""
    targets: str = "targets"
    """What targets are called, in the plural."""
    inputs: tuple[str, ...] = ()
    """The columns that a person gives for one prediction."""
    identity: tuple[str, ...] = ()
    """The columns that make two examples the same input; `inputs` where not given."""
    one_answer: bool = True
    """Whether an input has one right target, so that another one contradicts it."""
    group: str = ""
    """The column that examples share with others that must not be in another split; "" where they are independent."""
    strata: Callable[[Example], tuple[str, ...]] = _one_stratum
    """The groups of an example, e.g. its labels, whose shares a held-out split keeps."""
    label_column: str = ""
    """The column of examples with names of labels, one or several."""
    score_column: str = ""
    """The column of examples with numbers that are predicted."""
    class_labels: tuple[str, ...] = ()
    """The labels of whole examples, in the order of their ids."""
    max_target_length: int | None = None
    """The longest target in tokens of a task whose model writes texts; None for others."""
    beams: bool = False
    """Whether beam search is the default decoding."""
    same_inputs: bool = True
    """Whether the model reads the same in every epoch, so that its states can be cached."""
    mean_over_examples: bool = True
    """Whether every example counts the same in the loss. If a loss is averaged over the tokens of a batch, batches of
    texts of like length would give the tokens of short texts more weight than those of long ones."""
    too_long: str = "shorten them"
    """What to do with examples that are longer than the model."""
    global_attention: Literal["first", "question", "second text", "none"] = "first"
    """The tokens with global attention in models that have it: the first token, those before the context, those from
    the second text on (Beltagy et al. 2020, section 3.1, https://arxiv.org/abs/2004.05150), or none."""
    metric_kinds: tuple[str, ...] = ("labels",)
    """What the task's metrics can compare: "labels", "tags", "answers", "texts", "tokens", "similarities",
    "ranks"."""
    support: Callable[[], list[Example]] | None = None
    """The labelled examples that inputs are compared with, of a task that predicts so."""
    pipeline_tag: str = ""
    """The Hub's name of the task, where it is another."""
    baselines: Mapping[str, Callable[[Example], Any]] = field(default_factory=dict)
    """Predictions without a model, as metrics read them, each from an example; by what they are."""
    loss_of_batches: bool = False
    """Whether the loss compares the rows of a batch, so that it must see an effective batch as a whole. Its value
    depends on the batch size, so no loss is reported for validation and test."""
    batch_groups: "Callable[[Dataset], np.ndarray] | None" = None
    """The group (E,) of each training example; examples of one group are kept in different effective batches."""
    kind: str = ""
    """What runs of the task must share to be compared, besides its name."""

    @property
    def compared(self) -> tuple[str, ...]:
        """The columns that make two examples the same input."""
        return self.identity or self.inputs

    @property
    def writes_text(self) -> bool:
        """Whether predictions are texts that the model generates; else they are read off its logits."""
        return self.max_target_length is not None


@dataclass(frozen=True)
class ModelSpec:
    """The model and the tokenizer that a task needs."""

    auto_class: str
    """The Auto class of transformers that has the head, e.g. `AutoModelForTokenClassification`."""
    config: dict[str, Any] = field(default_factory=dict)
    """Keys of the model's configuration: num_labels, id2label, label2id, problem_type."""
    tokenizer_options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments for `AutoTokenizer.from_pretrained`."""
    embeds: bool = False
    """Whether the model's outputs are the embeddings of texts, pooled from its last layer; it has no head."""
    widths: tuple[int, ...] = ()
    """Numbers of dimensions that the embeddings must have at least."""
    languages: tuple[str, str] | None = None
    """Source and target, for tokenizers of several languages."""
    tokenizer_texts: "Callable[[Dataset], Iterator[str]] | None" = None
    """The texts of examples that a new tokenizer is trained on; None: the task needs a pretrained model."""


GLOBAL_ATTENTION = "global_attention_mask"
"""Column of features for models whose forward has this parameter: 1 where a token attends to all others."""

RowError = tuple[int, str]
"""A row of the examples, and why it cannot be used; what to do."""


IssueKind = Literal["leak", "conflict", "near leak", "labels", "oddity", "cut", "few", "balance", "repeat"]


@dataclass(frozen=True)
class Issue:
    """A valid but suspicious pattern in the data: one line with counts, the first places and a suggested fix."""

    kind: IssueKind
    text: str
    """What: `targets that equal their source`; from `data.checks` with the counts of each split:
    `targets that equal their source: 9 of 1,821 in test`."""
    remedy: str
    places: tuple[str, ...] = ()
    """The first rows in words, as `DataSplit.where` gives them."""
    rows: Sequence[int] = field(default=(), kw_only=True)
    """The rows of one split in which a task finds the pattern, in order."""
    count: int | None = field(default=None, kw_only=True)
    """The number of occurrences, where that is not one in each of the rows."""

    def __str__(self) -> str:
        places = f" ({', '.join(self.places)})" if self.places else ""
        return f"{self.text}{places}; {self.remedy}"


@dataclass(frozen=True)
class Issues:
    """Errors, warnings and notes of labelled examples; each kind is computed when it is iterated."""

    errors: Iterable[RowError] = ()
    warnings: Iterable[Issue] = ()
    notes: Iterable[str] = ()
    """Facts that are shown before training, one line each."""


Decode = Callable[[list[Any], EncodedSplit], list[Prediction]]


@dataclass(frozen=True)
class Postprocessor:
    """From the model's outputs to predictions, in two steps: the logits of a whole split are never in memory."""

    reduce: Callable[[Any, Features], list[Any]]
    """(outputs, features) of a batch -> one small numpy array for each feature, or a tuple of them."""
    decode: Decode
    """(items of all features, or of each example a `decoding.generate.Generated` where the model writes texts; split)
    -> one prediction for each example."""
    calibrate: Callable[[list[Any], EncodedSplit], Any] | None = None
    """(items of `reduce`, labelled split) -> the task with the decision thresholds and the temperature that suit this
    split best; None where there is nothing to choose."""


@dataclass(frozen=True)
class MetricInputs:
    """What metrics read of E predictions."""

    predictions: list[Any]
    """(E,) the value of each prediction that is compared."""
    references: list[Any]
    """(E,) what perfect predictions would be."""
    context: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of metrics, by parameter name, e.g. the sources."""
    confidence: Callable[[], dict[str, Any]] = dict
    """As `context`, of the predictions' confidence: `decisions`, `probabilities` (see metrics/probability.py)."""
    counts: dict[str, int] = field(default_factory=dict)
    """Further counts of the predictions, for results.json."""


BLANK = re.compile(r"[\s\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff]*")
"""Invisible characters: blanks, joiners, marks of direction (Unicode's Default_Ignorable_Code_Point)."""


def is_blank(text: str) -> bool:
    """Whether a text has no visible character."""
    return BLANK.fullmatch(text) is not None


def values(examples: "Dataset", *columns: str) -> Iterator[tuple[Any, ...]]:
    """The values of some columns row by row; read in batches, which is many times faster than `examples[i]`."""
    for batch in examples.select_columns(list(columns)).iter(batch_size=1000):
        yield from zip(*(batch[name] for name in columns), strict=True)


def rows(examples: "Dataset") -> Iterator[Example]:
    """The examples one by one, read in batches."""
    for row in values(examples, *(names := examples.column_names)):
        yield dict(zip(names, row, strict=True))


def text_of(value: Any, name: str) -> str:
    """A text from a row's column `name`. Raises ValueError: what is wrong, what to do."""
    if isinstance(value, str):
        return value
    if value is None:
        raise ValueError(f"the {name} is missing; write it or remove the row")
    raise ValueError(f"the {name} is not a string but {value!r}; quote it")


def max_input_length(max_length: int, tokenizer: "PreTrainedTokenizerBase") -> int:
    """The longest input in tokens: the task's `max_length`, or the limit of the model where that is lower."""
    return int(min(max_length, tokenizer.model_max_length))
