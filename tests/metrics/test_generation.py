import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF, TER

from hf_tasks.metrics import METRICS, score
from hf_tasks.metrics.generation import bleu, chrf, chrf_plus_plus, rouge, rouge_l, ter, tokenizer_of

PREDICTIONS = ["The cat sat on the mat.", "Hello there, Ann!", "“Nein”, sagte er – 3,5 km.", ""]
FIRST = ["The cat is on the mat.", "Hello, Ann!", "Nein, sagte er: 3.5 km.", "nothing"]
SECOND = ["A cat sat on a mat.", "Hi there, Ann.", "„Nein“, sagte er – 3,5 km.", "Not a thing."]
BOTH = [list(pair) for pair in zip(FIRST, SECOND, strict=True)]


@pytest.mark.parametrize(
    ("name", "metric", "of_corpus"),
    [
        ("bleu", bleu, sacrebleu.corpus_bleu),
        ("chrf", chrf, sacrebleu.corpus_chrf),
        ("chrf++", chrf_plus_plus, lambda p, r: sacrebleu.corpus_chrf(p, r, word_order=2)),
        ("ter", ter, sacrebleu.corpus_ter),
    ],
)
def test_equal_to_sacrebleu(name, metric, of_corpus):
    assert metric(PREDICTIONS, FIRST)[name] == pytest.approx(of_corpus(PREDICTIONS, [FIRST]).score, abs=1e-12)
    assert metric(PREDICTIONS, BOTH)[name] == pytest.approx(of_corpus(PREDICTIONS, [FIRST, SECOND]).score, abs=1e-12)
    assert next(iter(metric(PREDICTIONS, FIRST))) == name


def test_bleu_by_hand():
    # 5 of 6 words, 3 of 5 bigrams, 1 of 4 trigrams, 0 of 3 fourgrams (smoothed to 1/2); as long as the reference
    right = 100 * (5 / 6 * 3 / 5 * 1 / 4 * 0.5 / 3) ** 0.25
    assert bleu(["a b c x e f"], ["a b c y e f"])["bleu"] == pytest.approx(right)


def test_ter_by_hand():
    assert ter(["a b x d", "e f g h"], ["a b c d", "g h e f"])["ter"] == pytest.approx(100 * (1 + 1) / 8)  # edit, shift
    assert ter(["a b c"], ["d"])["ter"] == pytest.approx(300)


def test_random_texts_have_the_values_of_sacrebleu():
    generator = np.random.default_rng(0)
    words = ["(hi)", "the", "cat,", "sat", "“on”", "a", "mat.", "x"]
    for n, length in ((1, 2), (3, 6), (40, 9)):
        predictions, first, second = (
            [" ".join(generator.choice(words, size=generator.integers(0, length + 1))) for _ in range(n)]
            for _ in range(3)
        )
        several = [list(pair) for pair in zip(first, second, strict=True)]
        for metric, theirs in (
            (bleu, BLEU()), (chrf, CHRF()), (chrf_plus_plus, CHRF(word_order=2)), (ter, TER()),
        ):  # fmt: skip
            value = next(iter(metric(predictions, several).values()))
            assert value == pytest.approx(theirs.corpus_score(predictions, [first, second]).score, abs=1e-9)


def test_signatures():
    version = sacrebleu.__version__
    one, more = bleu(PREDICTIONS, FIRST), bleu(PREDICTIONS[:2], [FIRST[0], BOTH[1]])
    assert one["bleu_signature"] == f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{version}"
    assert more["bleu_signature"] == f"nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:{version}"
    assert (
        chrf(PREDICTIONS, BOTH)["chrf_signature"] == f"nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:no|version:{version}"
    )
    words = chrf_plus_plus(PREDICTIONS, FIRST)["chrf++_signature"]
    assert words == f"nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:{version}"


def test_as_many_references_as_there_are():
    unequal = [FIRST[0], BOTH[1], [SECOND[2]], [FIRST[3], SECOND[3], "nil"]]
    # a reference that stands twice changes neither BLEU nor chrF
    streams = [
        [FIRST[0], FIRST[1], SECOND[2], FIRST[3]],
        [FIRST[0], SECOND[1], SECOND[2], SECOND[3]],
        [FIRST[0], FIRST[1], SECOND[2], "nil"],
    ]
    assert bleu(PREDICTIONS, unequal)["bleu"] == pytest.approx(sacrebleu.corpus_bleu(PREDICTIONS, streams).score)
    assert chrf(PREDICTIONS, unequal)["chrf"] == pytest.approx(sacrebleu.corpus_chrf(PREDICTIONS, streams).score)
    # TER: the fewest edits, over the mean length of the references: (1 + 1) / (4 + (4 + 2) / 2)
    assert ter(["a b c d", "e f"], ["a b c x", ["e f g h", "e x"]])["ter"] == pytest.approx(100 * 2 / 7)


def test_rouge_is_the_mean_of_rouge_score():
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=True)
    rows = [scorer.score(r, p) for p, r in zip(PREDICTIONS, FIRST, strict=True)]
    expected = {kind: 100 * sum(row[kind].fmeasure for row in rows) / 4 for kind in rows[0]}
    assert rouge(PREDICTIONS, FIRST) == pytest.approx(expected)


def test_rouge_by_hand():
    values = rouge(["cats sat there"], [["the cat sat", "there sat a cat"]])
    # the second: 3 words in common of 3 and 4, no bigram, subsequence "sat" or "there"; the first: 2 of 3 and 3, 1 of 2
    assert values == pytest.approx({"rouge1": 600 / 7, "rouge2": 50, "rougeL": 200 / 3, "rougeLsum": 200 / 3})


def test_rouge_lsum_takes_lines_as_sentences():
    values = rouge(["b c\na"], ["a\nb c"])
    assert values["rougeLsum"] == pytest.approx(100)
    assert values["rougeL"] == pytest.approx(200 / 3)


def test_by_name():
    values = score(["bleu", "ter", "rouge"], ["a b c d"], ["a b c d"], {})
    assert {name: value for name, value in values.items() if "signature" not in name} == pytest.approx(
        {"n": 1, "bleu": 100, "ter": 0, "rouge1": 100, "rouge2": 100, "rougeL": 100, "rougeLsum": 100}
    )
    assert {"chrf", "chrf++"} <= set(METRICS)


def test_rouge_l_puts_the_longest_common_subsequence_first() -> None:
    values = rouge_l(["a b c"], ["a x c"])
    assert list(values) == ["rougeL", "rouge1", "rouge2", "rougeLsum"]
    assert values == rouge(["a b c"], ["a x c"])


def test_languages_without_blanks_have_their_tokenizer(monkeypatch):
    chinese, japanese = ["\u732b\u5750\u5728\u57ab\u5b50\u4e0a\u3002"], ["\u732b\u306f\u30de\u30c3\u30c8\u306e\u4e0a"]
    assert bleu(chinese, chinese)["bleu"] == pytest.approx(100)
    values = bleu(["\u732b\u5750\u5728\u5730\u4e0a\u3002"], [chinese])
    expected = BLEU(tokenize="zh").corpus_score(["\u732b\u5750\u5728\u5730\u4e0a\u3002"], [chinese]).score
    assert values["bleu"] == pytest.approx(expected)
    assert "|tok:zh|" in values["bleu_signature"]
    assert ter(["\u732b\u5750\u5728\u5730\u4e0a\u3002"], chinese)["ter"] < 60
    for codes, tokenizer in (("zh zh_CN zho_Hans", "zh"), ("th tha_Thai", "char"), ("de en_XX ko", "13a")):
        assert {tokenizer_of(FIRST, code) for code in codes.split()} == {tokenizer}
    assert tokenizer_of(FIRST) == "13a"
    monkeypatch.setattr("hf_tasks.metrics.generation.find_spec", lambda name: None)
    assert tokenizer_of(japanese) == tokenizer_of(FIRST, "ja") == "char"
    monkeypatch.setattr("hf_tasks.metrics.generation.find_spec", lambda name: name)
    assert tokenizer_of(japanese) == tokenizer_of(FIRST, "ja_XX") == "ja-mecab"
