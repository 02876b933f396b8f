"""Minimum Bayes risk: of several candidates for one source, the one that is best on average, whichever is right.

    utility(candidates, references) -> matrix (H, R)  ->  expectation -> (H,)  ->  the first of the highest -> index

Kumar and Byrne 2004 (https://aclanthology.org/N04-1022); with samples from the model as the pseudo-references,
Eikema and Aziz 2020 (https://aclanthology.org/2020.coling-main.398). Nothing here knows models: candidates are texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_tasks.decoding.ngrams import Floats, Ints
from hf_tasks.decoding.utilities import Texts, Utility, aggregate_chrf

FIRST_REFERENCES = 8
BOOTSTRAPS = 500
ROUNDING = 1e-9


@dataclass(frozen=True)
class Choice:
    """The index of the chosen candidate, and (H,) the expected utility of each, in percent."""

    index: int
    expected: Floats


def mbr(
    candidates: Texts, utility: Utility, references: Texts | None = None, weights: Sequence[float] | None = None
) -> Choice:
    """The candidate of the highest expected utility. Time O(H R) utilities, each text that is repeated taken once.

    references   pseudo-references, e.g. samples of the model; None: the candidates themselves
    weights      log-probabilities of the references, of any sum; None: all are as probable
    """
    hypotheses, place = _distinct(candidates)
    possible, probabilities = _possible(candidates if references is None else references, weights)
    return _best(expectation(utility(hypotheses, possible), probabilities)[place])


def mbr_aggregate(candidates: Texts, references: Texts | None = None, weights: Sequence[float] | None = None) -> Choice:
    """As `mbr` with chrF, but against one average of the references (Vamvas and Sennrich 2024,
    https://aclanthology.org/2024.acl-short.71). Time O(H + R)."""
    hypotheses, place = _distinct(candidates)
    possible, probabilities = _possible(candidates if references is None else references, weights)
    return _best(aggregate_chrf(hypotheses, possible, probabilities)[place, 0])


def mbr_pruned(
    candidates: Texts, utility: Utility, references: Texts | None = None, alpha: float = 0.99, seed: int = 0
) -> Choice:
    """As `mbr`, but candidates that are unlikely to win are given up early. For utilities that cost much.

    Of the references, in random order, the first 8 are taken, then 16, 32, ... ; each time those candidates stay that
    reach the best one in more than 1 - `alpha` of 500 bootstrap samples of the references taken. The expected
    utility of a candidate is over the references it was compared with; given up candidates are never chosen.
    Cheng and Vlachos 2023, https://aclanthology.org/2023.emnlp-main.767
    """
    random = np.random.default_rng(seed)
    possible = list(candidates if references is None else references)
    shuffled = [possible[i] for i in random.permutation(len(possible))]
    hypotheses, place = _distinct(candidates)
    alive, matrix, taken = np.arange(len(hypotheses)), np.empty((len(hypotheses), 0)), 0
    expected = np.empty(len(hypotheses))
    while taken < len(shuffled):
        upto = max(FIRST_REFERENCES, 2 * taken)
        new = utility([hypotheses[i] for i in alive], shuffled[taken:upto])
        matrix, taken = np.hstack([matrix, new]), upto
        expected[alive] = expectation(matrix)
        kept = _contenders(matrix, alpha, random)
        alive, matrix = alive[kept], matrix[kept]
        if len(alive) == 1:
            break
    chosen = alive[_best(expected[alive]).index]
    return Choice(int((place == chosen).argmax()), expected[place])


def oracle(candidates: Texts, references: Texts, utility: Utility) -> Choice:
    """The candidate that comes nearest to any one of the true references: what no choice can surpass."""
    return _best(utility(candidates, references).max(axis=1))


def expectation(matrix: Floats, probabilities: Floats | None = None) -> Floats:
    """(H, R) utilities and (R,) probabilities, or uniform ones -> (H,) expected utilities."""
    return matrix.mean(axis=1) if probabilities is None else matrix @ probabilities


def softmax(log_probabilities: Sequence[float]) -> Floats:
    exponentials = np.exp(np.asarray(log_probabilities, float) - max(log_probabilities))
    normalized: Floats = exponentials / exponentials.sum()
    return normalized


def _distinct(texts: Texts) -> tuple[list[str], Ints]:
    """The distinct texts in order, and the place of each text among them."""
    places = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    return list(places), np.array([places[text] for text in texts])


def _possible(references: Texts, weights: Sequence[float] | None) -> tuple[list[str], Floats]:
    """The distinct references and their probabilities."""
    texts, place = _distinct(references)
    of_each = softmax([0.0] * len(references) if weights is None else weights)
    return texts, np.bincount(place, of_each).astype(float)


def _best(expected: Floats) -> Choice:
    """The first of the highest, where differences by rounding are none."""
    return Choice(int((expected >= expected.max() - ROUNDING).argmax()), expected)


def _contenders(matrix: Floats, alpha: float, random: np.random.Generator) -> Ints:
    """The rows that reach the best row in more than 1 - alpha of the bootstrap samples of the columns."""
    n = matrix.shape[1]
    samples = random.multinomial(n, np.full(n, 1 / n), size=BOOTSTRAPS) / n
    means = matrix @ samples.T
    wins = (means >= means[expectation(matrix).argmax()]).mean(axis=1)
    return np.flatnonzero(wins > 1 - alpha)
