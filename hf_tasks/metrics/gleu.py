"""GLEU, for correction: BLEU that also takes away for what should have been changed in the source and was not.

Napoles et al. 2015 (https://aclanthology.org/P15-2097), as revised for several references in 2016
(https://arxiv.org/abs/1605.02592); the values are those of the authors' script run by Python 3.
"""

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np

ORDER = 4
ITERATIONS = 500

Reference = str | Sequence[str]


def gleu(predictions: list[str], references: Sequence[Reference], sources: Sequence[str]) -> dict[str, float]:
    """Corpus GLEU in percent of texts whose words are separated by blanks; with several references, the mean over 500
    times that one is drawn for each prediction."""
    several = [[text] if isinstance(text, str) else list(text) for text in references]
    statistics = [
        np.array([_statistics(prediction.split(), source.split(), text.split()) for text in texts])
        for prediction, source, texts in zip(predictions, sources, several, strict=True)
    ]
    iterations = ITERATIONS if any(len(texts) > 1 for texts in several) else 1
    return {"gleu": 100 * float(np.mean([_score(_drawn(statistics, 101 * seed)) for seed in range(iterations)]))}


def _drawn(statistics: list[np.ndarray], seed: int) -> np.ndarray:
    """(10,) the sum over predictions, each with one of its references."""
    drawn = random.Random(seed)
    total: np.ndarray = sum(rows[drawn.randint(0, len(rows) - 1)] for rows in statistics)
    return total


def _statistics(hypothesis: list[str], source: list[str], reference: list[str]) -> list[int]:
    """Words of hypothesis and reference; then for each order, the n-grams that are right less those that only the
    source has, and all n-grams of the hypothesis."""
    found = [len(hypothesis), len(reference)]
    for n in range(1, ORDER + 1):
        own, of_source, right = (_ngrams(words, n) for words in (hypothesis, source, reference))
        wrong = Counter({ngram: count for ngram, count in of_source.items() if ngram not in right})
        found += [max(0, (own & right).total() - (own & wrong).total()), max(0, len(hypothesis) + 1 - n)]
    return found


def _ngrams(words: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) + 1 - n))


def _score(statistics: np.ndarray) -> float:
    if not statistics.all():
        return 0.0
    length, right_length, *counts = statistics.tolist()
    precision = np.log(counts[::2]).sum() - np.log(counts[1::2]).sum()
    return float(np.exp(min(0.0, 1 - right_length / length) + precision / ORDER))
