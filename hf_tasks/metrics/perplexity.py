"""Perplexity and accuracy of masked tokens.

A prediction is (negative log-likelihood of the masked tokens, number of right ones, number of masked tokens).
"""

from collections.abc import Sequence

import numpy as np

from hf_tasks.metrics.metric import Metric, Sums, Value, Values, share

Masked = Sequence[tuple[float, int, int]]


def _perplexity(predictions: Masked, references: Masked) -> Sums:
    return Sums(_counts(predictions), _perplexity_of)


def _perplexity_of(s: np.ndarray) -> Values:
    with np.errstate(over="ignore"):
        return {"perplexity": np.where(s[:, 2] > 0, np.exp(share(s[:, 0], s[:, 2])), np.nan)}


def _accuracy(predictions: Masked, references: Masked) -> Sums:
    return Sums(_counts(predictions), lambda s: {"masked_accuracy": share(s[:, 1], s[:, 2], np.nan)})


def _counts(predictions: Masked) -> np.ndarray:
    return np.array(predictions, float).reshape(-1, 3)


perplexity = Metric(
    {
        "perplexity": Value(
            "exp of the mean negative log-likelihood of masked tokens; lower is better; comparable only with the same "
            "tokenizer, masks and texts",
            highest=np.inf,
            lowest=1,
        )
    },
    _perplexity,
    higher_is_better=False,
)
masked_accuracy = Metric({"masked_accuracy": Value("share of the masked tokens that are predicted exactly")}, _accuracy)
