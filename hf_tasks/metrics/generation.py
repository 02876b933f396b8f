"""Metrics of generated texts, over a whole corpus and in percent, as papers print them.

Predictions are texts; a reference is a text or a list of texts, as many or few for each prediction as there are.
"""

from collections.abc import Sequence
from typing import Any

Reference = str | Sequence[str]


def bleu(predictions: list[str], references: Sequence[Reference]) -> dict[str, Any]:
    """BLEU (Papineni et al. 2002, https://aclanthology.org/P02-1040) with sacrebleu's defaults; and the signature to
    quote with it (Post 2018, https://aclanthology.org/W18-6319)."""
    from sacrebleu.metrics import BLEU

    return _with_signature("bleu", BLEU(), predictions, references)


def chrf(predictions: list[str], references: Sequence[Reference]) -> dict[str, Any]:
    """chrF2: F2 of character n-grams up to 6 (Popović 2015, https://aclanthology.org/W15-3049)."""
    from sacrebleu.metrics import CHRF

    return _with_signature("chrf", CHRF(), predictions, references)


def chrf_plus_plus(predictions: list[str], references: Sequence[Reference]) -> dict[str, Any]:
    """chrF2++: chrF2 with words and word bigrams (Popović 2017, https://aclanthology.org/W17-4770)."""
    from sacrebleu.metrics import CHRF

    return _with_signature("chrf++", CHRF(word_order=2), predictions, references)


def ter(predictions: list[str], references: Sequence[Reference]) -> dict[str, Any]:
    """Translation edit rate: edits for 100 words of the references; lower is better, and above 100 is possible (Snover
    et al. 2006, https://aclanthology.org/2006.amta-papers.25)."""
    from sacrebleu.metrics import TER

    return _with_signature("ter", TER(), predictions, references)


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
    from rouge_score.rouge_scorer import RougeScorer

    kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    scorer = RougeScorer(kinds, use_stemmer=use_stemmer)
    scores = [scorer.score_multi(_several(r), p) for p, r in zip(predictions, references, strict=True)]
    return {kind: [score[kind].fmeasure for score in scores] for kind in kinds}


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
