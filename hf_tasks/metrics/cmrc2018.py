"""Exact match and F1 of Chinese answers as the script of CMRC 2018 counts them, in percent.

Cui et al. 2019 (https://aclanthology.org/D19-1600), script https://github.com/ymcui/cmrc2018. A text is a sequence of
Chinese characters and of words in other scripts; F1 counts the longest stretch that both texts have in common.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from hf_tasks.metrics.metric import Metric, Sums, Value, Values, share, with_one

_PUNCTUATION = str.maketrans("", "", "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_PIECES = re.compile("[\u4e00-\u9fa5]|[^\u4e00-\u9fa5]+")


def _cmrc2018(predictions: Sequence[dict[str, Any]], references: Sequence[list[str]]) -> Sums:
    """Exact match and F1, best over the references, and their mean, by which CMRC 2018 ranks.

    Predictions are rows `{"answer": text, ...}`, references lists of texts, empty for a question without answer.
    """
    pairs = [(row["answer"], right) for row, right in zip(predictions, references, strict=True)]
    f1s = [best_f1(text, right) for text, right in pairs]
    exacts = [best_exact(text, right) for text, right in pairs]

    def of_sums(s: np.ndarray) -> Values:
        f1s, exacts = (100 * share(s[:, i], s[:, 2]) for i in (0, 1))
        return {"cmrc2018_average": (f1s + exacts) / 2, "cmrc2018_f1": f1s, "cmrc2018_exact_match": exacts}

    return Sums(with_one(np.array(f1s, float), np.array(exacts, float)), of_sums)


def best_f1(prediction: str, references: list[str]) -> float:
    """The best over the references; where there is none, 1 for an empty prediction."""
    if not references:
        return float(not segments(prediction))
    return max(f1(prediction, reference) for reference in references)


def best_exact(prediction: str, references: list[str]) -> float:
    return float(any(bare(prediction) == bare(reference) for reference in references or [""]))


def bare(text: str) -> str:
    """Lower case, without punctuation."""
    return text.lower().strip().translate(_PUNCTUATION)


def segments(text: str) -> list[str]:
    """Chinese characters one by one, and the words between them, by NLTK's tokenizer as in the official script (which
    splits sentences first; that matters only to a period inside of several sentences in other scripts)."""
    from nltk.tokenize import NLTKWordTokenizer

    words = NLTKWordTokenizer().tokenize
    pieces = _PIECES.findall(bare(text))
    return [split for piece in pieces for split in (piece if "\u4e00" <= piece[0] <= "\u9fa5" else words(piece))]


def f1(prediction: str, reference: str) -> float:
    """Harmonic mean of precision and recall of the longest common stretch; 0 where either text is empty."""
    predicted, expected = segments(prediction), segments(reference)
    if not predicted or not expected:
        return 0.0
    return 2 * longest_common(predicted, expected) / (len(predicted) + len(expected))


def longest_common(first: list[str], second: list[str]) -> int:
    """Length of the longest contiguous run of items that both lists have."""
    longest, above = 0, [0] * (len(second) + 1)
    for item in first:
        row = [0] + [above[j] + 1 if item == other else 0 for j, other in enumerate(second)]
        longest, above = max(longest, *row), row
    return longest


cmrc2018 = Metric(
    {
        "cmrc2018_average": Value("mean of cmrc2018_f1 and cmrc2018_exact_match (CMRC 2018)", highest=100),
        "cmrc2018_f1": Value(
            "percentage of characters that answer and best reference share, in order, as F1 (CMRC 2018)", highest=100
        ),
        "cmrc2018_exact_match": Value(
            "percentage of answers equal to a reference, punctuation aside (CMRC 2018)",
            "exact_match",
            proportion=True,
            highest=100,
        ),
    },
    _cmrc2018,
)
