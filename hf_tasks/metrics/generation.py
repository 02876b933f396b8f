"""Metrics of generated texts, over a whole corpus and in percent, as papers print them.

Predictions are texts; a reference is a text or a list of texts, as many or few for each prediction as there are.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

Reference = str | Sequence[str]
ROUGE = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
KEPT = 2**15
"""Texts whose slow scores are remembered between a metric and its interval."""


def bleu(predictions: list[str], references: Sequence[Reference]) -> dict[str, Any]:
    """BLEU (Papineni et al. 2002, https://aclanthology.org/P02-1040) with sacrebleu's defaults; and the signature to
    quote with it (Post 2018, https://aclanthology.org/W18-6319)."""
    from sacrebleu.metrics import BLEU

    return _with_signature("bleu", BLEU(), predictions, references)


def chrf(predictions: list[str], references: Sequence[Reference]) -> dict[str, Any]:
    """chrF2: F2 of character n-grams up to 6 (Popović 2015, https://aclanthology.org/W15-3049)."""
    from sacrebleu.metrics import CHRF

    return _with_signature("chrf", CHRF(), predictions, references)


def chrf_counts(predictions: list[str], references: Sequence[Reference], word_order: int) -> list[list[int]]:
    """For every prediction and each order of n-grams: those of the prediction, those of its best reference, those that
    both have; what sacrebleu draws its own resamples from."""
    from sacrebleu.metrics import CHRF

    counts: list[list[int]] = CHRF(word_order=word_order)._extract_corpus_statistics(predictions, _streams(references))
    return counts


def chrf_plus_plus(predictions: list[str], references: Sequence[Reference]) -> dict[str, Any]:
    """chrF2++: chrF2 with words and word bigrams (Popović 2017, https://aclanthology.org/W17-4770)."""
    from sacrebleu.metrics import CHRF

    return _with_signature("chrf++", CHRF(word_order=2), predictions, references)


def ter(predictions: list[str], references: Sequence[Reference]) -> dict[str, Any]:
    """Translation edit rate: edits for 100 words of the references; lower is better, and above 100 is possible (Snover
    et al. 2006, https://aclanthology.org/2006.amta-papers.25)."""
    edits, words = map(sum, zip(*edits_of_each(predictions, references), strict=True))
    value = edits / words if words else float(edits > 0)
    by_number = sorted(range(len(references)), key=lambda i: len(_several(references[i])))
    ends = [by_number[0], by_number[-1]]  # these tell the signature how many references there are
    known = _with_signature("ter", _ter(), [predictions[i] for i in ends], [references[i] for i in ends])
    return known | {"ter": 100 * value}


def edits_of_each(predictions: list[str], references: Sequence[Reference]) -> list[tuple[float, float]]:
    """(edits, mean length of the references in words) of every prediction."""
    pairs = zip(predictions, references, strict=True)
    return [_edits(prediction, tuple(_several(reference))) for prediction, reference in pairs]


@cache
def _ter() -> Any:
    from sacrebleu.metrics import TER

    return TER()


@lru_cache(KEPT)
def _edits(prediction: str, references: tuple[str, ...]) -> tuple[float, float]:
    score = _ter().sentence_score(prediction, references)
    return float(score.num_edits), float(score.ref_length)


def rouge(predictions: list[str], references: Sequence[Reference], use_stemmer: bool = True) -> dict[str, float]:
    """Mean F-measure of ROUGE-1, -2, -L and -Lsum (Lin 2004, https://aclanthology.org/W04-1013), with Porter's stemmer
    as in ROUGE-1.5.5 -m; of several references, the best for each kind.

    Lsum takes lines as sentences: put each sentence of a summary on a line of its own. As in the original, words are
    made of a-z and 0-9 alone, so that ROUGE says nothing about other scripts.
    """
    each = rouge_of_each(predictions, references, use_stemmer)
    return {kind: 100 * sum(values) / len(values) for kind, values in each.items()}


def rouge_of_each(
    predictions: list[str], references: Sequence[Reference], use_stemmer: bool = True
) -> dict[str, list[float]]:
    """The F-measures, from 0 to 1, of every prediction, for each kind of ROUGE."""
    pairs = zip(predictions, references, strict=True)
    scores = [_rouge(prediction, tuple(_several(reference)), use_stemmer) for prediction, reference in pairs]
    return {kind: [score[i] for score in scores] for i, kind in enumerate(ROUGE)}


@cache
def _rouge_scorer(use_stemmer: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(ROUGE, use_stemmer=use_stemmer)


@lru_cache(KEPT)
def _rouge(prediction: str, references: tuple[str, ...], use_stemmer: bool) -> tuple[float, ...]:
    scores = _rouge_scorer(use_stemmer).score_multi(references, prediction)
    return tuple(scores[kind].fmeasure for kind in ROUGE)


def rouge_l(predictions: list[str], references: Sequence[Reference]) -> dict[str, float]:
    """As `rouge`, with ROUGE-L first: the longest common subsequence chooses the checkpoint."""
    values = rouge(predictions, references)
    return {"rougeL": values["rougeL"]} | values


def _with_signature(name: str, metric: Any, predictions: list[str], references: Sequence[Reference]) -> dict[str, Any]:
    assert len(predictions) == len(references)  # sacrebleu would leave the rest out
    score = metric.corpus_score(predictions, _streams(references)).score
    return {name: float(score), f"{name}_signature": str(metric.get_signature())}


def _streams(references: Sequence[Reference]) -> list[list[str | None]]:
    """The first reference of every prediction, the second, ...; None where there are not as many."""
    several = [_several(reference) for reference in references]
    most = max(map(len, several))
    return [[texts[i] if i < len(texts) else None for texts in several] for i in range(most)]


def _several(reference: Reference) -> list[str]:
    return [reference] if isinstance(reference, str) else list(reference)
