"""Coreference: which of several names in a text a pronoun refers to, or none of them.

    {"text": "Ann met Eve before she left.", "pronoun": "she", "pronoun_offset": 19, "names": ["Ann", "Eve"],
     "offsets": [0, 8], "label": [true, false]}

The offsets, in characters, may be left out where pronoun or name are in the text once. `group` may name a group of
examples that are scored by themselves; else it is the gender of an English pronoun.

It is multiple choice (see there): each name is a choice, and "neither" is one more. A choice is read as the second text
of a pair, after a window of the text around all spans, where the pronoun is in brackets, the name that is the choice
between stars, and the others between number signs: `# Ann # met * Eve * before [ she ] left.`, `Eve`. Data and scorer:
GAP (Webster et al. 2018, https://aclanthology.org/Q18-1042).
"""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from hf_tasks.metrics.coreference import NEITHER
from hf_tasks.tasks.base import Task
from hf_tasks.tasks.multiple_choice import ChoicesCollator, choice_logits, choice_loss, chosen
from hf_tasks.tasks.types import (
    Batch,
    Collator,
    Columns,
    EncodedSplit,
    Example,
    Examples,
    Features,
    Issues,
    MetricInputs,
    ModelSpec,
    Postprocessor,
    Prediction,
    RawRow,
    RowError,
    Traits,
    is_blank,
    max_input_length,
    rows,
    text_of,
    values,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

GENDERS = {
    **dict.fromkeys(("she", "her", "hers", "herself"), "feminine"),
    **dict.fromkeys(("he", "him", "his", "himself"), "masculine"),
}
PRONOUN, CHOICE, OTHER = ("[", "]"), ("*", "*"), ("#", "#")
"""What is written around the spans of a text."""
FLAGS = {"true": True, "1": True, "false": False, "0": False}


class Mention(NamedTuple):
    """Characters start to end of a text."""

    start: int
    end: int


class Coreference(Task):
    """Find the name that a pronoun refers to, or that it refers to none of them."""

    name: Literal["coreference"]

    # -- from rows to examples

    @property
    def columns(self) -> Columns:
        return Columns(
            required=("text", "pronoun", "names"),
            optional=("pronoun_offset", "offsets", "group"),
            targets=("label",),
            aliases={
                "Text": "text", "Pronoun": "pronoun", "Pronoun-offset": "pronoun_offset", "candidates": "names",
                "gender": "group",
            },
            lists=("names", "offsets", "label"),
        )  # fmt: skip

    @property
    def traits(self) -> Traits:
        return Traits(
            examples="pronouns",
            targets="labels",
            inputs=("text", "pronoun", "names"),
            identity=("text", "pronoun_offset"),
            group="text",
            strata=lambda example: (str(example["label"]),),
            global_attention="second text",
            pipeline_tag="multiple-choice",
            baselines={"the first name": _first, "the name that is closest to the pronoun": _closest},
        )

    @property
    def model_spec(self) -> ModelSpec:
        return ModelSpec("AutoModelForMultipleChoice")

    def parse(self, row: RawRow) -> Example:
        text, pronoun = text_of(row["text"], "text"), text_of(row["pronoun"], "pronoun")
        names = [text_of(name, f"name {i}") for i, name in enumerate(_list(row["names"]), 1)]
        offsets = _list(row.get("offsets")) or [None] * len(names)
        if len(names) < 2 or len(offsets) != len(names):
            raise ValueError(f"there are {len(names)} names and {len(offsets)} offsets; give two or more of each")
        example: Example = {
            "text": text,
            "pronoun": pronoun,
            "pronoun_offset": _offset(text, pronoun, row.get("pronoun_offset")),
            "names": names,
            "offsets": [_offset(text, *pair) for pair in zip(names, offsets, strict=True)],
            "group": str(row.get("group") or GENDERS.get(pronoun.lower(), "other")),
        }
        return example | ({"label": _label(row["label"], names)} if "label" in row else {})

    def fit(self, train: "Dataset", label_columns: tuple[str, ...] = ()) -> Self:
        return self.model_copy(update={"metrics": self.metrics or ("coreference_f1", "accuracy", "nll")})

    def issues(self, examples: "Dataset", features: "Dataset | None" = None) -> Issues:
        return Issues(_errors(examples), notes=_notes(examples))

    # -- from examples to features

    def encode(self, examples: Examples, tokenizer: "PreTrainedTokenizerBase") -> Features:
        """As multiple choice; `tokens_cut` are those of the text outside its window."""
        limit = max_input_length(self.max_length, tokenizer)
        names = ("text", "pronoun", "pronoun_offset", "names", "offsets")
        features: Features = {name: [] for name in ("example", "length", "tokens_cut")}
        for i, (text, pronoun, start, choices, starts) in enumerate(zip(*(examples[n] for n in names), strict=True)):
            spans = [Mention(start, start + len(pronoun))]
            spans += [Mention(at, at + len(name)) for at, name in zip(starts, choices, strict=True)]
            seconds = [*choices, NEITHER]
            window, cut = _window(tokenizer, text, spans, seconds, limit)
            firsts = [_marked(text, window, spans, choice) for choice in range(len(seconds))]
            found = tokenizer(firsts, seconds, truncation="longest_first", max_length=limit, verbose=False)
            row = {name: found[name] for name in tokenizer.model_input_names if name in found}
            row |= {"example": i, "length": max(map(len, found["input_ids"])), "tokens_cut": cut}
            for name, value in row.items():
                features.setdefault(name, []).append(value)
        return features | ({"labels": list(examples["label"])} if "label" in examples else {})

    def collator(self, tokenizer: "PreTrainedTokenizerBase", model: Any) -> Collator:
        return ChoicesCollator(tokenizer)

    # -- from outputs to predictions

    def loss(self, outputs: Any, batch: Batch, items: "Tensor | int | None" = None) -> "Tensor":
        return choice_loss(outputs, batch, items)

    def postprocessor(self, *, scores_only: bool = False) -> Postprocessor:
        return Postprocessor(choice_logits, _predictions)

    def metric_inputs(self, predictions: list[Prediction], examples: "Dataset") -> MetricInputs:
        counts = [len(names) for (names,) in values(examples, "names")]
        references = [_place(label, n) for label, n in zip(examples["label"], counts, strict=True)]
        found = [_place(one["label"], len(one["probabilities"]) - 1) for one in predictions]
        return MetricInputs(
            found,
            references,
            {"groups": examples["group"][:]},
            lambda: {
                "decisions": [
                    ([one["score"]], [answer == right])
                    for one, answer, right in zip(predictions, found, references, strict=True)
                ],
                "probabilities": [_probabilities(one, max(counts)) for one in predictions],
            },
        )


def _list(value: Any) -> list[Any]:
    """A list, from one, from a JSON list, or from lines."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            raise ValueError(f'{value!r} is not a JSON list; write for example ["Ann", "Eve"]') from None
    if isinstance(value, str):
        return [line.strip() for line in value.splitlines() if line.strip()]
    if not isinstance(value, list | tuple | None):
        raise ValueError(f"a list was expected, found {value!r}; write one value for each name")
    return list(value or [])


def _offset(text: str, span: str, given: Any) -> int:
    """Where a span starts in the text, in characters; found where it is not given."""
    if given is None or given == "":
        if text.count(span) != 1 or not span:
            raise ValueError(f"{span!r} is {text.count(span)} times in the text; give its offset in characters")
        return text.index(span)
    if not str(given).isdecimal():
        raise ValueError(f"the offset {given!r} of {span!r} is not a number of characters; count them from 0")
    start = int(given)
    if not span or not text.startswith(span, start):
        there = text[start : start + len(span)]
        raise ValueError(f"{span!r} is not at character {start} of the text, but {there!r}; correct the offset")
    return start


def _label(value: Any, names: Sequence[str]) -> int:
    """The place of the right name, or the number of names: from a flag for each name, a place, a name, or NEITHER."""
    if isinstance(value, list | tuple):
        flags = [FLAGS.get(str(flag).lower()) for flag in value]
        if None in flags or len(flags) != len(names):
            raise ValueError(f"the label {value!r} is not true or false for each of the {len(names)} names")
        if flags.count(True) > 1:
            raise ValueError(f"the label has {flags.count(True)} right names; give one at most")
        return flags.index(True) if True in flags else len(names)
    if value == NEITHER:
        return len(names)
    if isinstance(value, str) and names.count(value) == 1:
        return names.index(value)
    if not isinstance(value, bool) and str(value).isdecimal() and int(value) <= len(names):
        return int(value)
    raise ValueError(f'the label {value!r} is not a name; give its place, counted from 0, or "{NEITHER}"')


def _window(
    tokenizer: "PreTrainedTokenizerBase", text: str, spans: Sequence[Mention], seconds: Sequence[str], limit: int
) -> tuple[Mention, int]:
    """The characters that are read and the tokens that are not: the spans and as much on both sides as has room. Where
    the spans are too far apart, the pronoun and what surrounds it."""
    tokens = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    marks = len(tokenizer(" ".join([*PRONOUN, *(OTHER * (len(spans) - 1))]), add_special_tokens=False)["input_ids"])
    second = max(len(ids) for ids in tokenizer(list(seconds), add_special_tokens=False)["input_ids"])
    room = max(1, limit - second - marks - tokenizer.num_special_tokens_to_add(True))
    first, last = _covering(tokens, Mention(min(span.start for span in spans), max(span.end for span in spans)))
    if last - first > room:
        first, last = _covering(tokens, spans[0])
    left = max((room - (last - first)) // 2, room - (len(tokens) - first), 0)
    first = max(0, first - left)
    last = min(len(tokens), first + room)
    return Mention(tokens[first][0], tokens[last - 1][1]), len(tokens) - (last - first)


def _covering(tokens: Sequence[tuple[int, int]], span: Mention) -> tuple[int, int]:
    """The first token that covers a span, and the one behind it."""
    inside = [i for i, (start, end) in enumerate(tokens) if start < span.end and end > span.start]
    inside = inside or [next((i for i, (_, end) in enumerate(tokens) if end > span.start), len(tokens) - 1)]
    return inside[0], inside[-1] + 1


def _marked(text: str, window: Mention, spans: Sequence[Mention], choice: int) -> str:
    """The window with marks around its spans; `choice`: the place among the names, behind them for NEITHER."""
    signs = [PRONOUN, *(CHOICE if choice == name else OTHER for name in range(len(spans) - 1))]
    inserted = []
    for i, (span, (left, right)) in enumerate(zip(spans, signs, strict=True)):
        if window.start <= span.start and span.end <= window.end:
            inserted += [(span.start, 1, i, f"{left} "), (span.end, 0, -i, f" {right}")]
    pieces, at = [], window.start
    for place, _, _, sign in sorted(inserted):
        pieces += [text[at:place], sign]
        at = place
    return "".join([*pieces, text[at : window.end]])


def _errors(examples: "Dataset") -> Iterator[RowError]:
    for row, example in enumerate(rows(examples)):
        if is_blank(example["pronoun"]) or any(map(is_blank, example["names"])):
            yield row, "the pronoun or a name is empty; write it or remove the row"
        if len(set(zip(example["names"], example["offsets"], strict=True))) < len(example["names"]):
            yield row, "a name is there twice with the same offset; remove one of them"


def _notes(examples: "Dataset") -> Iterator[str]:
    neither = sum(label == len(names) for names, label in values(examples, "names", "label"))
    yield f"{neither} of {len(examples)} pronouns refer to none of their names"


def _predictions(items: list[Any], split: EncodedSplit) -> list[Prediction]:
    names = values(split.examples, "names")
    return [chosen(logits, [*several, NEITHER]) for logits, (several,) in zip(items, names, strict=True)]


def _place(label: int, names: int) -> str:
    return NEITHER if label == names else str(label)


def _probabilities(prediction: Prediction, most: int) -> dict[str, float]:
    """The probability of each place, 0 of those that other examples have."""
    *places, neither = prediction["probabilities"]
    return {str(i): places[i] if i < len(places) else 0.0 for i in range(most)} | {NEITHER: neither}


def _first(example: Example) -> str:
    return "0"


def _closest(example: Example) -> str:
    """By the characters between the starts of name and pronoun."""
    distances = [abs(start - example["pronoun_offset"]) for start in example["offsets"]]
    return str(distances.index(min(distances)))
