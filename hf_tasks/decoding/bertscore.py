"""A utility by meaning: how near the tokens of two texts are in the last layer of an encoder.

Each token is compared with the nearest one of the other text; the mean cosine over the hypothesis' tokens is its
precision, over the reference's its recall: BERTScore's F1 (Zhang et al. 2020, https://openreview.net/forum?id=SkeHuCVFDr)
without weights for rare words, and without special tokens.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from hf_tasks.core.errors import RunError
from hf_tasks.decoding.ngrams import Floats
from hf_tasks.decoding.utilities import Texts, Utility

BATCH_SIZE = 64
LARGEST = 50_000_000
"""Similarities of tokens that are in memory at once."""

Vectors = tuple[np.ndarray, np.ndarray]
"""The vectors of the tokens of T texts, (tokens, D) of length 1, text after text; (T,) the texts' numbers of tokens."""


@cache
def embedding(name_or_path: str) -> Utility:
    """The utility of an encoder: a Hub model id, a folder, or `package:NAME`. It stays in memory. Raises RunError."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from hf_tasks.core.checkpoint_paths import quiet_transformers, resolve_checkpoint

    place = resolve_checkpoint(name_or_path)
    try:
        with quiet_transformers():
            model = AutoModel.from_pretrained(
                place, dtype=torch.float32, trust_remote_code=False, use_safetensors=True
            ).eval()
        tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
    except (OSError, ValueError) as e:
        raise RunError(f"utility: the encoder {name_or_path} cannot be loaded: {str(e).splitlines()[0]}") from None
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")

    def vectors(texts: Texts) -> Vectors:
        found = [one for start in range(0, len(texts), BATCH_SIZE) for one in batch(texts[start : start + BATCH_SIZE])]
        return np.concatenate(found), np.array([len(one) for one in found])

    @torch.inference_mode()
    def batch(texts: Texts) -> list[np.ndarray]:
        inputs = tokenizer(
            list(texts), padding=True, truncation=True, return_tensors="pt", return_special_tokens_mask=True
        )
        special = inputs.pop("special_tokens_mask").bool()
        states = model(**inputs.to(model.device)).last_hidden_state  # (B, L, D)
        states = torch.nn.functional.normalize(states, dim=-1).cpu()
        return [own[~left_out].numpy() for own, left_out in zip(states, special, strict=True)]

    def utility(hypotheses: Texts, references: Texts) -> Floats:
        of_hypotheses = vectors(hypotheses)
        return greedy_matching(of_hypotheses, of_hypotheses if references == hypotheses else vectors(references))

    return utility


def greedy_matching(hypotheses: Vectors, references: Vectors) -> Floats:
    """(H, R) F1 in percent; 0 where a text has no tokens."""
    size = max(1, LARGEST // max(1, len(references[0])))  # tokens of hypotheses at once
    ends = np.cumsum(hypotheses[1])
    rows, first = [], 0
    while first < len(ends):
        start = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, start + size, side="right")))
        piece = hypotheses[0][start : ends[last - 1]], hypotheses[1][first:last]
        rows.append(_f1(piece, references))
        first = last
    return np.concatenate(rows) if rows else np.zeros((0, len(references[1])))


def _f1(hypotheses: Vectors, references: Vectors) -> Floats:
    similarity = hypotheses[0] @ references[0].T  # (tokens, tokens)
    best_of_reference = _segments(np.maximum, similarity, references[1], axis=1)  # (tokens, R)
    precision = _mean(best_of_reference, hypotheses[1], axis=0)  # (H, R)
    best_of_hypothesis = _segments(np.maximum, similarity, hypotheses[1], axis=0)  # (H, tokens)
    recall = _mean(best_of_hypothesis, references[1], axis=1)  # (H, R)
    total = precision + recall
    return np.where(total > 0, 200 * precision * recall / np.where(total > 0, total, 1), 0.0)


def _mean(values: np.ndarray, lengths: np.ndarray, axis: int) -> Floats:
    shape = (-1, 1) if axis == 0 else (1, -1)
    mean: Floats = _segments(np.add, values.astype(float), lengths, axis) / np.maximum(lengths, 1).reshape(shape)
    return mean


def _segments(function: np.ufunc, values: np.ndarray, lengths: np.ndarray, axis: int) -> np.ndarray:
    """`function` over each segment of an axis; 0 for empty ones."""
    full = np.flatnonzero(lengths)
    shape = list(values.shape)
    shape[axis] = len(lengths)
    result = np.zeros(shape, values.dtype)
    if len(full):
        starts = (np.cumsum(lengths) - lengths)[full]
        where: Sequence[slice | np.ndarray] = [slice(None)] * axis + [full]
        result[tuple(where)] = function.reduceat(values, starts, axis=axis)
    return result
