"""Utilities: the score of each hypothesis against each reference, for all pairs, in percent.

UTILITIES names functions (hypotheses, references) -> (H, R) float64 from 0 to 100. They equal the sentence scores of
sacrebleu (https://github.com/mjpost/sacrebleu) and rouge_score (https://pypi.org/project/rouge-score) to 1e-9.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache, partial
from itertools import chain
from string import punctuation

import numpy as np

from hf_tasks.decoding.ngrams import Counts, Floats, Overlap, Tokens, characters, ngram_counts, overlaps, words

Texts = Sequence[str]
Utility = Callable[[Texts, Texts], Floats]


def bleu(hypotheses: Texts, references: Texts, tokenize: str = "13a", lowercase: bool = False) -> Floats:
    """Sentence BLEU of order 4, with exponential smoothing and the effective order.

    Papineni et al. 2002 (https://aclanthology.org/P02-1040); smoothing 3 of Chen and Cherry 2014
    (https://aclanthology.org/W14-3346); `tokenize` is one of sacrebleu's tokenizers.
    """
    split = _bleu_words(tokenize)

    def tokens(texts: Texts) -> Tokens:
        return words([split(text.lower() if lowercase else text) for text in texts])

    orders = list(overlaps(hypotheses, references, tokens, 4))
    product, halvings = np.ones_like(orders[0].matches), np.zeros_like(orders[0].matches)
    for order in orders:
        halvings += order.matches == 0
        smoothed = np.where(order.matches > 0, order.matches, np.exp2(-halvings))
        product *= np.where(order.hypotheses[:, None] > 0, smoothed / _at_least_1(order.hypotheses)[:, None], 1)
    effective_order = np.minimum(_at_least_1(orders[0].hypotheses), len(orders))
    lengths = orders[0].references / _at_least_1(orders[0].hypotheses)[:, None]
    score = np.minimum(1, np.exp(1 - lengths)) * product ** (1 / effective_order)[:, None]
    return np.where(orders[0].matches > 0, 100 * score, 0.0)


def chrf(hypotheses: Texts, references: Texts, char_order: int = 6, word_order: int = 0, beta: float = 2) -> Floats:
    """chrF (Popović 2015, https://aclanthology.org/W15-3049); chrF++ with `word_order` 2 (Popović 2017,
    https://aclanthology.org/W17-4770)."""
    by_characters = overlaps(hypotheses, references, characters, char_order)
    by_words = overlaps(hypotheses, references, _words_and_punctuation, word_order)
    return _chrf_score(chain(by_characters, by_words if word_order else ()), beta)


def aggregate_chrf(
    hypotheses: Texts, references: Texts, weights: Floats, char_order: int = 6, beta: float = 2
) -> Floats:
    """chrF (H, 1) against one average reference, whose n-gram counts are the references' weighted mean counts.

    Time O(H + R) where all pairs take O(H R). Vamvas and Sennrich 2024, https://aclanthology.org/2024.acl-short.71
    """
    n = len(hypotheses)
    orders = ngram_counts(characters([*hypotheses, *references]), char_order)
    return _chrf_score((_with_average(order, n, weights) for order in orders), beta)


def rouge_n(hypotheses: Texts, references: Texts, n: int, use_stemmer: bool = False) -> Floats:
    """F-measure of n-grams (Lin 2004, https://aclanthology.org/W04-1013)."""
    *_, order = overlaps(hypotheses, references, partial(_rouge_words, use_stemmer=use_stemmer), n)
    return _f1(order)


def rouge_l(hypotheses: Texts, references: Texts, use_stemmer: bool = False) -> Floats:
    """F-measure of the longest common subsequence of words (Lin 2004, https://aclanthology.org/W04-1013), found
    bit-parallel: time O(L²/64) a pair for L words (Hyyrö 2004)."""
    from rapidfuzz.distance import LCSseq
    from rapidfuzz.process import cdist

    ids, lengths = _rouge_words([*hypotheses, *references], use_stemmer)
    texts = [text.tolist() for text in np.split(ids, np.cumsum(lengths)[:-1])]
    n = len(hypotheses)
    common = cdist(texts[:n], texts[n:], scorer=LCSseq.similarity, dtype=np.int64).astype(float)
    return _f1(Overlap(common, lengths[:n].astype(float), lengths[n:].astype(float)))


def token_f1(hypotheses: Texts, references: Texts) -> Floats:
    """F1 of answers' words, as SQuAD counts it; 100 or 0 where one has no words (Rajpurkar et al. 2018,
    https://aclanthology.org/P18-2124)."""
    from hf_tasks.metrics.squad import normalized

    (order,) = overlaps(hypotheses, references, lambda texts: words([normalized(text).split() for text in texts]), 1)
    nothing = (order.hypotheses[:, None] == 0) & (order.references == 0)
    return np.where(nothing, 100.0, _f1(order))


UTILITIES: dict[str, Utility] = {
    "chrf": chrf,
    "chrf++": partial(chrf, word_order=2),
    "bleu": bleu,
    "rouge1": partial(rouge_n, n=1),
    "rouge2": partial(rouge_n, n=2),
    "rougeL": rouge_l,
    "token_f1": token_f1,
}


def _chrf_score(orders: Iterable[Overlap], beta: float) -> Floats:
    """F-beta of the mean precision and mean recall over the orders that both texts have."""
    precision = recall = effective_order = np.zeros((1, 1))
    for order in orders:
        precision = precision + order.matches * (1 / _at_least_1(order.hypotheses))[:, None]
        recall = recall + order.matches * (1 / order.references.clip(min=np.finfo(float).tiny))
        effective_order = effective_order + np.logical_and.outer(order.hypotheses > 0, order.references > 0)
    both = (beta**2 * precision + recall) * effective_order
    return 100 * (1 + beta**2) * precision * recall / np.where(both > 0, both, 1)


def _with_average(order: Counts, n: int, weights: Floats) -> Overlap:
    """What the first `n` texts, the hypotheses, share with the weighted mean counts of the others."""
    ours = order.text < n
    weighted = weights[order.text[~ours] - n] * order.count[~ours]
    average = np.bincount(order.ngram[~ours], weighted, minlength=int(order.ngram.max(initial=0)) + 1)
    shared = np.minimum(order.count[ours], average[order.ngram[ours]])
    matches = np.bincount(order.text[ours], shared, minlength=n).astype(float)
    return Overlap(matches[:, None], order.totals[:n].astype(float), weights @ order.totals[n:, None].astype(float))


@cache
def _bleu_words(tokenize: str) -> Callable[[str], list[str]]:
    """sacrebleu's tokenizer. 13a looks at each run of non-blanks by itself, so that it is asked once for each run."""
    from sacrebleu.metrics import BLEU

    tokenizer: Callable[[str], str] = BLEU(tokenize=tokenize).tokenizer

    def of_text(text: str) -> list[str]:
        return tokenizer(text.rstrip()).split()

    of_run = lru_cache(2**16)(of_text)

    def of_runs(text: str) -> list[str]:
        if "\n" in text:  # it joins what a hyphen at the end of a line parts
            return of_text(text)
        return [word for run in text.split() for word in of_run(run)]

    return of_runs if tokenize == "13a" else of_text


def _words_and_punctuation(texts: Texts) -> Tokens:
    """Words, and one punctuation mark at the end of a word, or else at its beginning, as a word of its own."""
    return words([[piece for word in text.split() for piece in _pieces(word)] for text in texts])


def _pieces(word: str) -> list[str]:
    if len(word) > 1 and word[-1] in punctuation:
        return [word[:-1], word[-1]]
    return [word[0], word[1:]] if len(word) > 1 and word[0] in punctuation else [word]


def _rouge_words(texts: Texts, use_stemmer: bool) -> Tokens:
    """Lower-case runs of a-z and 0-9; other letters are no words in ROUGE."""
    from rouge_score.tokenizers import DefaultTokenizer

    tokenizer = DefaultTokenizer(use_stemmer)
    return words([tokenizer.tokenize(text) for text in texts])


def _f1(order: Overlap) -> Floats:
    return 200 * order.matches / _at_least_1(np.add.outer(order.hypotheses, order.references))


def _at_least_1(numbers: Floats) -> Floats:
    return np.maximum(numbers, 1)
