"""The outputs of a masked language model to predictions."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.tasks.fill_mask.features import MASKS, UNKNOWN
from hf_tasks.tasks.fill_mask.masks import Masking
from hf_tasks.tasks.types import EncodedSplit, Features, Prediction, values

if TYPE_CHECKING:
    from torch import Tensor

BEST = 10
"""Fillings of a mask that are kept."""


@dataclass(frozen=True)
class Reduced:
    """From logits (n, V), those of all masked positions of a batch in order, to small arrays."""

    masking: Masking

    def __call__(self, outputs: Any, features: Features) -> list[Any]:
        """Of each window: with labels (3, k), the negative log-likelihood of each masked token, whether the most
        probable token is right, and the number of the token's text; without them (1 + 2 BEST, k), the negative
        log-likelihood (nan where the token is not known), the most probable tokens and their probabilities."""
        rows = [dict(zip(features, row, strict=True)) for row in zip(*features.values(), strict=True)]
        labelled = "labels" in features
        places = [self.masking.positions(row)[0] if labelled else np.array(row["asked"], np.int64) for row in rows]
        originals = [
            np.array(row["input_ids"] if labelled else row["originals"])[at if labelled else slice(None)]
            for row, at in zip(rows, places, strict=True)
        ]
        logits = outputs["logits"].float()  # (n, V)
        tokens = np.concatenate(originals).astype(np.int64)
        numbers = (_scored if labelled else _filled)(logits, tokens)  # (K, n)
        split = np.split(numbers, np.cumsum([len(at) for at in places])[:-1], axis=1)
        if not labelled:
            return split
        texts = [np.array(row["text"])[at] if "text" in row else 0 * at for row, at in zip(rows, places, strict=True)]
        return [np.vstack([one, text]) for one, text in zip(split, texts, strict=True)]


def _scored(logits: "Tensor", tokens: np.ndarray) -> np.ndarray:
    """(2, n) negative log-likelihood, and whether the most probable token is right."""
    import torch

    wanted = torch.from_numpy(tokens).to(logits.device)
    losses = torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
    right = logits.argmax(-1) == wanted
    return torch.stack([losses, right.float()]).cpu().numpy().astype(np.float64)


def _filled(logits: "Tensor", tokens: np.ndarray) -> np.ndarray:
    """(1 + 2 BEST, n) negative log-likelihood, the most probable tokens, their probabilities."""
    import torch

    likelihoods = logits.log_softmax(-1)
    wanted = torch.from_numpy(tokens).to(logits.device)
    losses = -likelihoods.gather(1, wanted.clamp(min=0)[:, None])[:, 0]
    losses[wanted == UNKNOWN] = torch.nan
    best = likelihoods.topk(min(BEST, logits.shape[-1]), dim=-1)
    found = torch.cat([losses[:, None], best.indices.float(), best.values.exp()], dim=1)
    return found.T.cpu().numpy().astype(np.float64)


def scored(items: list[Any], split: EncodedSplit) -> list[Prediction]:
    """Of each complete text: its masked tokens, how many of them are the most probable ones, their log-likelihood and
    perplexity; None where no token was masked."""
    first = np.repeat(np.array(split.features["example"][:], np.int64), [item.shape[1] for item in items])
    losses, right, text = np.concatenate(items, axis=1)
    example, size = first + text.astype(np.int64), len(split.examples)
    totals = [np.bincount(example, weights, size) for weights in (losses, right, np.ones_like(losses))]
    return [
        {
            "perplexity": float(np.exp(loss / count)) if count else None,
            "log_likelihood": float(-loss),
            "masked": int(count),
            "correct": int(correct),
        }
        for loss, correct, count in zip(*totals, strict=True)
    ]


def filled(items: list[Any], split: EncodedSplit) -> list[Prediction]:
    """Of each text with masks its fillings; of each other one its pseudo-perplexity (Salazar et al. 2020,
    https://aclanthology.org/2020.acl-main.240)."""
    of_text: list[list[np.ndarray]] = [[] for _ in range(len(split.examples))]
    for example, item in zip(split.features["example"][:], items, strict=True):
        of_text[example].append(item)
    return [
        _prediction(text, np.concatenate(several, axis=1), split)
        for (text,), several in zip(values(split.examples, "text"), of_text, strict=True)
    ]


def _prediction(text: str, numbers: np.ndarray, split: EncodedSplit) -> Prediction:
    losses, best = numbers[0], (len(numbers) - 1) // 2
    if not np.isnan(losses).any():
        mean = float(np.exp(losses.mean())) if len(losses) else None
        return {"pseudo_perplexity": mean, "log_likelihood": float(0 - losses.sum()), "n_tokens": len(losses)}
    tokenizer = split.tokenizer
    assert tokenizer is not None
    fillings = []
    for column in numbers.T:
        names = [tokenizer.decode([int(token)]).strip() for token in column[1 : 1 + best]]
        fillings.append(dict(zip(names, column[1 + best :].tolist(), strict=True)))
    first = [next(iter(one)) for one in fillings]
    scores = [next(iter(one.values())) for one in fillings]
    return {"prediction": _with(text, first, str(tokenizer.mask_token)), "scores": scores, "fillings": fillings}


def _with(text: str, tokens: Iterable[str], mask: str) -> str:
    """The text with its masks replaced by tokens, in order."""
    for written in MASKS:
        text = text.replace(written, mask)
    for token in tokens:
        text = text.replace(mask, token, 1)
    return text
