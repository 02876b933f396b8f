"""Text generation by a decoder-only model (GPT-2, Llama): a prompt, and the completion that the model learns to write.

    {"prompt": "Ann: Lunch at one?\nBo: Fine.", "completion": "Ann and Bo have lunch at one."}
    {"prompt": "Ann: Lunch at one?\nBo: Fine."}                            for prediction

The model reads prompt, separator, completion and the end-of-text token as one text. The loss is the mean negative
log-likelihood of completion and end-of-text token; with `prompt_loss_weight` also of prompt and separator, each with
this weight: sum(w * nll) / sum(w). Small weights are best for short completions (Huerta-Enochian and Ko 2024,
https://aclanthology.org/2024.emnlp-main.1267).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field

from hf_tasks.core.errors import RecipeError
from hf_tasks.tasks.base import Task
from hf_tasks.tasks.collate import IGNORE, PaddingCollator, items_in
from hf_tasks.tasks.leads import leads
from hf_tasks.tasks.text2text.task import written
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
    text_of,
    values,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

LEAST_PROMPT = 1
"""Tokens of a prompt that must be readable beside separator and completion."""


class TextGeneration(Task):
    """Complete a prompt with a decoder-only model."""

    name: Literal["text-generation"]
    separator: str = ""
    """Follows every prompt, e.g. "\\nTL;DR:"; without a blank at its end, since completions begin with one."""
    keep: Literal["start", "end", "turns"] = "start"
    """Of prompts that are too long, the start is read (articles), the end, or the last lines that fit as a whole (the
    turns of a dialogue)."""
    max_target_length: int = Field(128, ge=2)
    """The longest completion in tokens, with the end-of-text token; longer ones are cut, so that the model does not
    learn to end there. The prompt gets the rest of what the model reads."""
    prompt_loss_weight: float = Field(0.0, ge=0, le=1)
    """Weight of each token of prompt and separator in the loss; each of the completion has 1."""

    # -- from rows to examples

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.separator.endswith((" ", "\t")):
            yield ("separator",), "ends with a blank, which is not a separate token before a word; remove the blank"

    @property
    def columns(self) -> Columns:
        return Columns(
            required=("prompt",),
            targets=("completion",),
            aliases={
                "source": "prompt", "document": "prompt", "article": "prompt", "dialogue": "prompt", "text": "prompt",
                "instruction": "prompt", "references": "completion", "summaries": "completion", "target": "completion",
                "summary": "completion", "highlights": "completion", "response": "completion",
            },
            lists=("completion",),
        )  # fmt: skip

    @property
    def traits(self) -> Traits:
        return Traits(
            metric_kinds=("texts", "labels"),
            examples="prompts",
            targets="completions",
            inputs=("prompt",),
            one_answer=False,
            max_target_length=self.max_target_length,
            mean_over_examples=False,
            global_attention="none",
            baselines=leads("prompt") if self.separator else {},
        )

    @property
    def model_spec(self) -> ModelSpec:
        return ModelSpec("AutoModelForCausalLM", tokenizer_texts=self._texts)

    def _texts(self, examples: "Dataset") -> Iterator[str]:
        for batch in examples.iter(batch_size=1000):
            yield from (prompt + self.separator for prompt in batch["prompt"])
            yield from (_continued(text) for several in batch.get("completion", []) for text in several)

    def parse(self, row: RawRow) -> Example:
        turns = row["prompt"] if isinstance(row["prompt"], list | tuple) else [row["prompt"]]
        example: Example = {"prompt": "\n".join(text_of(turn, "prompt") for turn in turns)}
        if "completion" in row:
            several = row["completion"] if isinstance(row["completion"], list | tuple) else [row["completion"]]
            if not len(several):
                raise ValueError("the list of completions is empty; write one or more")
            example["completion"] = [text_of(text, "completion") for text in several]
        return example

    def fit(self, train: "Dataset", label_columns: tuple[str, ...] = ()) -> Self:
        return self.model_copy(update={"metrics": self.metrics or ("rougeL",)})

    def issues(self, examples: "Dataset", features: "Dataset | None" = None) -> Issues:
        return Issues(_errors(examples), notes=_notes(examples))

    # -- from examples to features

    def encode(self, examples: Examples, tokenizer: "PreTrainedTokenizerBase") -> Features:
        """`input_ids` are those of the prompt and separator, `labels` those of the first completion: the collator joins
        them. `length` is that of both."""
        end = tokenizer.eos_token_id
        if end is None:
            raise RecipeError("model.name_or_path: its tokenizer has no end-of-text token; choose another checkpoint")
        first, separator = _first(tokenizer), _bare([self.separator], tokenizer)[0]
        room = self.longest_prompt(tokenizer) - len(first) - len(separator)
        if room < LEAST_PROMPT:
            readable = tokenizer.model_max_length
            raise RecipeError(f"task.max_target_length: leaves no room for prompts in {readable} tokens; lower it")
        whole = _bare(examples["prompt"], tokenizer)
        read = _last_turns(examples["prompt"], whole, room, tokenizer) if self.keep == "turns" else whole
        cut = [ids[:room] if self.keep == "start" else ids[-room:] for ids in read]
        prompts = [first + ids + separator or [end] for ids in cut]
        features: Features = {
            "input_ids": prompts,
            "attention_mask": [[1] * len(ids) for ids in prompts],
            "example": list(range(len(prompts))),
            "length": [len(ids) for ids in prompts],
            "tokens_cut": [len(ids) - len(kept) for ids, kept in zip(whole, cut, strict=True)],
        }
        if "completion" in examples:
            texts = _bare([_continued(several[0]) for several in examples["completion"]], tokenizer)
            features["labels"] = [[*ids, end][: self.max_target_length] for ids in texts]
            features["target_length"] = [len(ids) for ids in features["labels"]]
            features["target_tokens_cut"] = [max(0, len(ids) + 1 - self.max_target_length) for ids in texts]
            features["length"] = np.add(features["length"], features["target_length"]).tolist()
        return features

    def longest_prompt(self, tokenizer: "PreTrainedTokenizerBase") -> int:
        """The longest prompt in tokens, with the separator: beside it there is room for the longest completion."""
        return min(
            max_input_length(self.max_length, tokenizer), int(tokenizer.model_max_length) - self.max_target_length
        )

    def collator(self, tokenizer: "PreTrainedTokenizerBase", model: Any) -> Collator:
        return CompletionCollator(tokenizer, self.prompt_loss_weight)

    # -- from outputs to predictions

    def loss(self, outputs: Any, batch: Batch, items: "Tensor | int | None" = None) -> "Tensor":
        from torch.nn import functional

        labels = batch["labels"][:, 1:]  # a token is predicted where the one before it is read
        learned = labels != IGNORE  # (B, T - 1)
        logits = outputs["logits"][:, :-1][learned].float()  # (n, V)
        losses = functional.cross_entropy(logits, labels[learned], reduction="none")
        if "loss_weights" in batch:
            losses = losses * batch["loss_weights"][:, 1:][learned]
        return losses.sum() / (items_in(batch) if items is None else items)

    def postprocessor(self, *, scores_only: bool = False) -> Postprocessor:
        return Postprocessor(_log_probabilities, _written)

    def metric_inputs(self, predictions: list[Prediction], examples: "Dataset") -> MetricInputs:
        return MetricInputs(
            [prediction["prediction"] for prediction in predictions],
            examples["completion"][:],
            context={"sources": examples["prompt"][:]},
            counts={"cut": sum(prediction["cut"] for prediction in predictions)},
        )


@dataclass(frozen=True)
class CompletionCollator:
    """Joins prompts and completions to texts, padded on the right: input_ids, attention_mask, labels (B, T). Of the
    prompts no token is learned, or with a `weight` all but the first, which nothing predicts; then `loss_weights`
    (B, T) has the weight of each label."""

    tokenizer: "PreTrainedTokenizerBase"
    weight: float

    def __call__(self, features: list[dict[str, Any]]) -> Batch:
        import torch
        from torch.nn.utils.rnn import pad_sequence

        if "labels" not in features[0]:
            names = ("input_ids", "attention_mask")
            return PaddingCollator(self.tokenizer)([{name: feature[name] for name in names} for feature in features])
        prompts = [torch.tensor(feature["input_ids"]) for feature in features]
        targets = [torch.tensor(feature["labels"]) for feature in features]
        pad = int(self.tokenizer.pad_token_id)
        texts = [torch.cat([a, b.where(b != IGNORE, pad)]) for a, b in zip(prompts, targets, strict=True)]
        labels = [torch.cat([self._learned(a, b), b]) for a, b in zip(prompts, targets, strict=True)]
        batch = {
            "input_ids": pad_sequence(texts, batch_first=True, padding_value=pad),
            "attention_mask": pad_sequence([torch.ones_like(ids) for ids in texts], batch_first=True),
            "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORE),
        }
        if self.weight:
            counted = batch["labels"] != IGNORE
            sizes = torch.tensor([len(ids) for ids in prompts])[:, None]
            prompt = torch.arange(counted.shape[1]) < sizes
            batch["loss_weights"] = counted * torch.where(prompt, self.weight, 1.0)
        return batch

    def _learned(self, prompt: "Tensor", target: "Tensor") -> "Tensor":
        """The labels of a prompt; none beside a completion that does not count."""
        import torch

        if not self.weight or bool((target == IGNORE).all()):
            return torch.full_like(prompt, IGNORE)
        return torch.cat([prompt.new_full((1,), IGNORE), prompt[1:]])


def _bare(texts: list[str], tokenizer: "PreTrainedTokenizerBase") -> list[list[int]]:
    """The tokens of texts without special ones."""
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def _last_turns(
    prompts: list[str], whole: list[list[int]], room: int, tokenizer: "PreTrainedTokenizerBase"
) -> list[list[int]]:
    """The tokens of the last lines of each prompt that fit; of its last line if that alone does not."""
    read = list(whole)
    for i in [i for i, ids in enumerate(whole) if len(ids) > room]:
        turns = prompts[i].splitlines(keepends=True)
        sizes = np.cumsum([len(ids) for ids in _bare(turns[::-1], tokenizer)])
        kept = max(1, int(np.searchsorted(sizes, room, side="right")))
        read[i] = _bare(["".join(turns[-kept:])], tokenizer)[0]
    return read


def _first(tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """The special tokens before every text, such as Llama's <s>."""
    return [token for token in tokenizer("")["input_ids"] if token != tokenizer.eos_token_id]


def _continued(completion: str) -> str:
    """A completion as it follows a prompt: with a blank before its first word."""
    return completion if completion[:1].isspace() else f" {completion}"


def _log_probabilities(outputs: Any, features: Features) -> list[Any]:
    """B x (T,) the log-probability of each token of the first completion."""
    import torch

    items = []
    for logits, prompt, ids in zip(outputs["logits"], features["input_ids"], features["labels"], strict=True):  # (T, V)
        read = logits[len(prompt) - 1 : len(prompt) - 1 + len(ids)].float().log_softmax(-1)
        items.append(read.gather(1, torch.tensor(ids, device=logits.device)[:, None])[:, 0].cpu().numpy())
    return items


def _written(generated: list[Any], split: EncodedSplit) -> list[Prediction]:
    return [row | {"prediction": row["prediction"].strip()} for row in written(generated, split)]


def _errors(examples: "Dataset") -> Iterator[RowError]:
    for row, (prompt, completions) in enumerate(values(examples, "prompt", "completion")):
        if is_blank(prompt):
            yield row, "the prompt is empty; write it or remove the row"
        if any(map(is_blank, completions)):
            yield row, "a completion is empty; write it or remove the row"


def _notes(examples: "Dataset") -> Iterator[str]:
    several = sum(1 for (completions,) in values(examples, "completion") if len(completions) > 1)
    if several:
        yield f"{several} prompts have several completions; the first is learned, all are scored"
