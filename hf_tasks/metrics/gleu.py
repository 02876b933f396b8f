"""GLEU, for correction: BLEU with a penalty for n-grams of the source that should have been changed.

Napoles et al. 2015 (https://aclanthology.org/P15-2097), as revised for several references in 2016
(https://arxiv.org/abs/1605.02592); the values are those of the authors' script run by Python 3.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hf_tasks.metrics.metric import Metric, Sums, Value, Values

ORDER = 4
ITERATIONS = 500
DRAWS = 1_000_000
"""Of references, for an interval: at most this many for all examples, so that memory stays small."""

Reference = str | Sequence[str]


@dataclass(frozen=True)
class _Drawn(Sums):
    """Of several references, the mean over as many draws as memory allows; over all draws for all examples."""

    of_all: dict[str, float] = field(kw_only=True)
    each: list[np.ndarray] = field(kw_only=True)
    """The statistics (references, 10) of each prediction."""

    def table(self) -> np.ndarray:
        """(E, references x 10); NaN where a prediction has fewer references than another."""
        longest = max(map(np.size, self.each), default=0)
        rows = [np.pad(one.ravel().astype(float), (0, longest - one.size), constant_values=np.nan) for one in self.each]
        return np.array(rows).reshape(-1, longest)

    def total(self) -> dict[str, float]:
        return self.of_all


def _gleu(predictions: Sequence[str], references: Sequence[Reference], sources: Sequence[str]) -> Sums:
    """Corpus GLEU in percent of texts whose words are separated by blanks; with several references, the mean over 500
    times that one is drawn for each prediction."""
    return _drawn(statistics(predictions, references, sources))


def _of_table(table: np.ndarray) -> Sums:
    return _drawn([row[~np.isnan(row)].reshape(-1, 2 + 2 * ORDER) for row in table])


def _drawn(each: list[np.ndarray]) -> Sums:
    if not each:
        of_all = {"gleu": np.nan}
        return _Drawn(np.zeros((0, 2 + 2 * ORDER)), lambda s: {"gleu": 100 * scores(s)}, of_all=of_all, each=each)
    flat, begins = np.concatenate(each), np.cumsum([0, *(len(rows) for rows in each[:-1])])
    drawn = draws([len(rows) for rows in each])  # (D, E)
    totals = np.stack([flat[begins + places].sum(0) for places in drawn])
    few = drawn[: max(1, DRAWS // len(each))]
    counts = np.hstack([flat[begins + places] for places in few]).astype(float)  # (E, D x 10)

    def of_sums(s: np.ndarray) -> Values:
        return {"gleu": 100 * scores(s.reshape(len(s), len(few), -1)).mean(1)}

    return _Drawn(counts, of_sums, of_all={"gleu": 100 * float(scores(totals).mean())}, each=each)


def statistics(predictions: Sequence[str], references: Sequence[Reference], sources: Sequence[str]) -> list[np.ndarray]:
    """For each prediction, (references, 10): what it adds to the corpus with each of its references."""
    several = [[text] if isinstance(text, str) else list(text) for text in references]
    return [
        np.array([_statistics(prediction.split(), source.split(), text.split()) for text in texts])
        for prediction, source, texts in zip(predictions, sources, several, strict=True)
    ]


def draws(sizes: Sequence[int]) -> np.ndarray:
    """(D, E) index of the reference drawn for each prediction, which has `sizes[e]` of them, in D = 500 draws; D = 1
    with single references."""
    times = ITERATIONS if max(sizes) > 1 else 1
    generators = [random.Random(101 * seed) for seed in range(times)]
    return np.array([[drawn.randint(0, size - 1) for size in sizes] for drawn in generators])


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


def scores(totals: np.ndarray) -> np.ndarray:
    """(...) GLEU of sums over the predictions, (..., 10)."""
    whole = totals.all(axis=-1)
    logs = np.log(np.where(totals > 0, totals, 1))
    precision = (logs[..., 2::2] - logs[..., 3::2]).sum(-1)
    ratio = totals[..., 1] / np.where(whole, totals[..., 0], 1)
    return np.where(whole, np.exp(np.minimum(0.0, 1 - ratio) + precision / ORDER), 0.0)


gleu = Metric(
    {
        "gleu": Value(
            "GLEU of the corpus, in percent (Napoles et al. 2015): shared n-grams, less those left uncorrected",
            highest=100,
        )
    },
    _gleu,
    of_table=_of_table,
)
