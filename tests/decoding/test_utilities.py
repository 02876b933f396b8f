"""Every utility, on all pairs, against the package it speaks for."""

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import CHRF

from hf_tasks.decoding import ngrams
from hf_tasks.decoding.utilities import UTILITIES, _bleu_words, aggregate_chrf, bleu, chrf, rouge_l, rouge_n
from hf_tasks.metrics.squad import f1

SENTENCES = [
    "The cat sat on the mat.",
    "The cat sat on the mat .",
    "A cat was sitting on the mat, I think.",
    "On the mat sat the cat.",
    "He paid 1,000.50 dollars (U.S.) on 3-4 May!",
    "He's paid $1000.5 -- “in cash” -- on 4 May.",
]
HARD = [
    "", " ", "a", "!", "a an the", "the the the the", "the the", "aaaaaaaaaaaaaaaaaaaa", "aaaa aaaa", "a b c d e f g",
    "g f e d c b a", "naïve – 日本語 テスト 😀😀", "\ud800 alone", "(hi)! ((hi",
    "&quot;x&amp;y&lt; <skipped> a-\nz\u2028w\x85v", ",.,. ...", "running runners ran", "run runner run",
    "x " * 130 + "end", "end " + "x " * 70,
]  # fmt: skip
TEXTS = SENTENCES + HARD


def rouge(name, use_stemmer):
    scorer = RougeScorer([name], use_stemmer=use_stemmer)
    return lambda h, r: 100 * scorer.score(r, h)[name].fmeasure


CASES = {
    "bleu": (bleu, lambda h, r: sacrebleu.sentence_bleu(h, [r]).score),
    "bleu, lower case, intl": (
        lambda h, r: bleu(h, r, tokenize="intl", lowercase=True),
        lambda h, r: sacrebleu.sentence_bleu(h, [r], tokenize="intl", lowercase=True).score,
    ),
    "chrf": (chrf, lambda h, r: CHRF().sentence_score(h, [r]).score),
    "chrf++": (UTILITIES["chrf++"], lambda h, r: CHRF(word_order=2).sentence_score(h, [r]).score),
    "chrf of order 3, beta 1": (
        lambda h, r: chrf(h, r, char_order=3, beta=1),
        lambda h, r: CHRF(char_order=3, beta=1).sentence_score(h, [r]).score,
    ),
    "rouge1": (UTILITIES["rouge1"], rouge("rouge1", False)),
    "rouge2": (UTILITIES["rouge2"], rouge("rouge2", False)),
    "rougeL": (UTILITIES["rougeL"], rouge("rougeL", False)),
    "rouge2, stems": (lambda h, r: rouge_n(h, r, 2, use_stemmer=True), rouge("rouge2", True)),
    "rougeL, stems": (lambda h, r: rouge_l(h, r, use_stemmer=True), rouge("rougeL", True)),
    "token_f1": (UTILITIES["token_f1"], lambda h, r: 100 * f1(h, r)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("hypotheses", "references"),
    [(TEXTS, TEXTS), (TEXTS, SENTENCES[::-1]), (HARD[:3], TEXTS), (SENTENCES, [""]), ([""], [""])],
    ids=["with each other", "other references", "short hypotheses", "empty reference", "nothing"],
)
def test_equal_to_the_reference_package(name, hypotheses, references):
    utility, of_pair = CASES[name]
    expected = [[of_pair(h, r) for r in references] for h in hypotheses]
    np.testing.assert_allclose(utility(hypotheses, references), expected, rtol=0, atol=1e-9)


def test_every_utility_is_compared():
    assert set(UTILITIES) <= set(CASES)


def test_words_of_bleu_are_those_of_sacrebleu():
    tokenizer, random = sacrebleu.BLEU().tokenizer, np.random.default_rng(0)
    pieces = [*" .,-09a(&;<é\u2028\t", "&amp;", "&lt;", "<skipped>", "-\n", " ", ", "]
    for length in random.integers(1, 12, size=5000):
        text = "".join(random.choice(pieces, size=length))
        assert _bleu_words("13a")(text) == tokenizer(text.rstrip()).split(), repr(text)


def test_many_ngrams_do_not_run_over(monkeypatch):
    plain = chrf(TEXTS, SENTENCES)
    monkeypatch.setattr(ngrams, "LARGEST_ID", 1000)  # n-grams are numbered anew at every order
    np.testing.assert_array_equal(chrf(TEXTS, SENTENCES), plain)


def test_features_in_blocks(monkeypatch):
    plain, square = chrf(TEXTS, SENTENCES), chrf(TEXTS, TEXTS)
    monkeypatch.setattr(ngrams, "BLOCK", 7)
    np.testing.assert_array_equal(chrf(TEXTS, SENTENCES), plain)
    np.testing.assert_array_equal(chrf(TEXTS, TEXTS), square)


def test_counts_of_bigrams():
    first, second = ngrams.ngram_counts(ngrams.words([["a", "b", "a", "b"], [], ["b", "a"]]), 2)
    assert [column.tolist() for column in (first.ngram, first.text, first.count)] == [
        [0, 0, 1, 1],
        [0, 2, 0, 2],
        [2, 1, 2, 1],
    ]
    assert first.totals.tolist() == [4, 0, 2]
    assert [column.tolist() for column in (second.ngram, second.text, second.count)] == [
        [0, 1, 1],
        [0, 0, 2],
        [2, 1, 1],
    ]
    assert second.totals.tolist() == [3, 0, 1]


def test_aggregate_of_one_reference_is_chrf():
    for reference in TEXTS:
        np.testing.assert_allclose(
            aggregate_chrf(TEXTS, [reference], np.ones(1)), chrf(TEXTS, [reference]), rtol=0, atol=1e-9
        )


def test_aggregate_counts_by_hand():
    # order 1 of "ab" against the mean of "aa" and "b" (3/4 and 1/4): a 1.5, b 0.25, 1.75 characters in all
    # matches 1 + 0.25; precision 1.25/2, recall 1.25/1.75; beta 1: the harmonic mean 2 * 1.25 / 3.75
    assert aggregate_chrf(["ab"], ["aa", "b"], np.array([0.75, 0.25]), char_order=1, beta=1)[0, 0] == pytest.approx(
        200 / 3
    )
