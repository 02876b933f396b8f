"""Exact match and F1 of answers, as SQuAD's official scripts count them, in percent.

v1.1: Rajpurkar et al. 2016 (https://aclanthology.org/D16-1264); v2.0: Rajpurkar et al. 2018
(https://aclanthology.org/P18-2124), script https://worksheets.codalab.org/rest/bundles/0x6b567e1cf2e041ec80d7098f031c5c9e.

Predictions are rows `{"answer": text, ...}`, with an empty text for no answer; the thresholds also read `nbest`
(`[{"text": ...}, ...]`, best first) and `null_score_diff`, the score of no answer minus that of the best span.
References are lists of texts, one list for each question, empty for a question without answer.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hf_tasks.metrics.metric import Metric, Sums, Value, Values, means, share

Row = dict[str, Any]
Measure = Callable[[str, str], float]

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalized(text: str) -> str:
    """Lower case, without ASCII punctuation, the articles a, an and the, and superfluous blanks."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact(prediction: str, reference: str) -> float:
    return float(normalized(prediction) == normalized(reference))


def f1(prediction: str, reference: str) -> float:
    """Harmonic mean of precision and recall over tokens; 1 or 0 where either text has no tokens (v2.0)."""
    predicted, expected = normalized(prediction).split(), normalized(reference).split()
    if not predicted or not expected:
        return float(predicted == expected)
    return _overlap(predicted, expected)


def f1_version_1(prediction: str, reference: str) -> float:
    """As `f1`, but 0 where either text has no tokens (v1.1)."""
    return _overlap(normalized(prediction).split(), normalized(reference).split())


def _overlap(predicted: list[str], expected: list[str]) -> float:
    same = (Counter(predicted) & Counter(expected)).total()
    return 2 * same / (len(predicted) + len(expected)) if same else 0.0


def _squad(predictions: Sequence[Row], references: Sequence[list[str]]) -> Sums:
    """SQuAD v1.1, best over the references. It has no rule for questions without answer: both values are 100 where
    nothing is answered."""
    pairs = list(zip((row["answer"] for row in predictions), references, strict=True))

    def each(measure: Measure) -> np.ndarray:
        return np.array([best_over(measure, text, right) if right else float(not text) for text, right in pairs], float)

    return means({"f1": each(f1_version_1), "exact_match": each(exact)}, scale=100)


def _squad_v2(predictions: Sequence[Row], references: Sequence[list[str]]) -> Sums:
    """SQuAD v2.0: over all questions, over those with and without answer (HasAns, NoAns), where there are any."""
    pairs = [(row["answer"], answers_of(right)) for row, right in zip(predictions, references, strict=True)]
    measures = {"f1": f1, "exact": exact}
    counts = np.array([[*(best_over(m, *pair) for m in measures.values()), 1.0] for pair in pairs]).reshape(-1, 3)
    answerable = np.array([bool(texts) for texts in references], bool)[:, None]
    return _groups(np.hstack([counts, counts * answerable, counts * ~answerable]))


def _groups(counts: np.ndarray) -> Sums:
    """F1, exact match and number (E, 3) of all questions, of those with and of those without answer."""
    there = [i for i in range(3) if counts[:, 3 * i + 2].any()]

    def of_sums(s: np.ndarray) -> Values:
        return {
            ("", "HasAns_", "NoAns_")[group] + name: 100 * share(s[:, 3 * group + i], s[:, 3 * group + 2], np.nan)
            for group in there
            for i, name in enumerate(("f1", "exact"))
        }

    return Sums(counts, of_sums)


def _squad_v2_more(predictions: Sequence[Row], references: Sequence[list[str]]) -> dict[str, float]:
    """How many questions have an answer; and the best that any one threshold of the null score difference would give
    (where the predictions have one)."""
    answerable = sum(bool(texts) for texts in references)
    values: dict[str, float] = {"HasAns_total": answerable, "NoAns_total": len(references) - answerable}
    if "null_score_diff" in predictions[0]:
        for name, measure in (("exact", exact), ("f1", f1)):
            values[f"best_{name}"], values[f"best_{name}_thresh"] = best_threshold(predictions, references, measure)
    return values


def best_threshold(
    predictions: Sequence[Row], references: Sequence[list[str]], measure: Measure
) -> tuple[float, float]:
    """(mean of `measure` in percent, threshold): the best that is to be had by answering the questions whose null
    score difference is at most the threshold with their best span, and no other. Time O(n log n)."""
    differences = np.array([row["null_score_diff"] for row in predictions])
    answerable = np.array([bool(texts) for texts in references])
    spans = [next((entry["text"] for entry in row["nbest"] if entry["text"]), "") for row in predictions]
    answered = np.array(
        [best_over(measure, text, answers_of(right)) for text, right in zip(spans, references, strict=True)]
    )
    order = np.argsort(differences, kind="stable")
    gain = np.cumsum((answered - ~answerable)[order])  # over refusing all
    last_of_equals = np.append(np.diff(differences[order]) > 0, True)
    gain = np.where(last_of_equals, gain, -np.inf)
    best = int(gain.argmax())
    refused = (~answerable).sum()
    if gain[best] <= 0:
        return 100 * float(refused / len(order)), float(differences.min()) - 1
    return 100 * float((refused + gain[best]) / len(order)), float(differences[order[best]])


def mean_at(threshold: float, predictions: Sequence[Row], references: Sequence[list[str]], measure: Measure) -> float:
    """The mean of `measure` in percent where the questions whose null score difference is at most the threshold are
    answered with their best span."""
    spans = [next((entry["text"] for entry in row["nbest"] if entry["text"]), "") for row in predictions]
    answered = [
        text if row["null_score_diff"] <= threshold else "" for text, row in zip(spans, predictions, strict=True)
    ]
    pairs = zip(answered, references, strict=True)
    return 100 * float(np.mean([best_over(measure, text, answers_of(right)) for text, right in pairs]))


def answers_of(texts: Sequence[str]) -> list[str]:
    """The references that have tokens; an empty text where there is none."""
    return [text for text in texts if normalized(text)] or [""]


def best_over(measure: Measure, prediction: str, references: Sequence[str]) -> float:
    return max(measure(prediction, reference) for reference in references)


EXACT = Value(
    "percentage of answers equal to a reference, case, punctuation and articles aside",
    "exact_match",
    proportion=True,
    highest=100,
)
F1 = Value("percentage of words that answer and best reference share, as F1, averaged over the questions", highest=100)

squad = Metric({"f1": F1, "exact_match": EXACT}, _squad)
squad_v2 = Metric(
    {
        "f1": F1,
        "exact": EXACT,
        "HasAns_f1": Value("f1, over the questions that have an answer", highest=100),
        "HasAns_exact": Value("exact, over the questions that have an answer", "exact_match", highest=100),
        "NoAns_f1": Value("f1, over the questions without an answer", highest=100),
        "NoAns_exact": Value("exact, over the questions without an answer", "exact_match", highest=100),
        "HasAns_total": Value("questions that have an answer", is_score=False),
        "NoAns_total": Value("questions without an answer", is_score=False),
        "best_exact": Value("exact at the threshold that is best for these very examples", "exact_match"),
        "best_exact_thresh": Value("the threshold of best_exact", is_score=False),
        "best_f1": Value("f1 at the threshold that is best for these very examples"),
        "best_f1_thresh": Value("the threshold of best_f1", is_score=False),
    },
    _squad_v2,
    _squad_v2_more,
    of_table=_groups,
)
