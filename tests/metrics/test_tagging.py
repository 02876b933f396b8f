import random
import warnings

import pytest
import seqeval.metrics
from seqeval.scheme import IOB2, IOBES

from hf_tasks.metrics import score
from hf_tasks.metrics.tag_schemes import Tags
from hf_tasks.metrics.tagging import (
    conlleval_f1,
    entity_errors,
    entity_f1,
    tagging_accuracy,
    unseen_entity_recall,
    word_segmentation,
)


def row(text):
    return text.split()


def rows(*texts):
    return [row(text) for text in texts]


def test_entity_f1_by_hand():
    references = rows("B-PER I-PER O B-LOC", "O B-ORG O")
    predictions = rows("B-PER I-PER O B-ORG", "O B-ORG B-ORG")
    # right: the PER and one ORG; predicted: 1 PER, 3 ORG; expected: 1 PER, 1 LOC, 1 ORG
    assert entity_f1(predictions, references) == {
        "entity_f1": 4 / 7,
        "entity_precision": 2 / 4,
        "entity_recall": 2 / 3,
        "per_entity": {
            "LOC": {"f1": 0.0, "precision": 0.0, "recall": 0.0, "support": 1},
            "ORG": {"f1": 0.5, "precision": 1 / 3, "recall": 1.0, "support": 1},
            "PER": {"f1": 1.0, "precision": 1.0, "recall": 1.0, "support": 1},
        },
    }


def test_an_i_without_b_counts_for_conlleval_only():
    references, predictions = rows("B-PER I-PER O"), rows("I-PER I-PER O")
    assert entity_f1(predictions, references)["entity_f1"] == 0.0
    assert conlleval_f1(predictions, references) == {
        "conlleval_f1": 1.0, "conlleval_precision": 1.0, "conlleval_recall": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "prediction", "right", "found", "expected"),
    [
        ("I-NP B-NP I-NP O", "I-NP I-NP I-NP O", 0, 1, 2),  # IOB1: B- divides neighbours
        ("B-NP I-NP I-VP O", "B-NP I-NP B-VP O", 2, 2, 2),  # a change of type begins a chunk, with I- as with B-
        ("O O O", "O B-NP O", 0, 1, 0),
        ("S-NP O B-NP E-NP", "B-NP O I-NP E-NP", 2, 2, 2),
    ],
)
def test_conlleval_by_hand(reference, prediction, right, found, expected):
    assert conlleval_f1(rows(prediction), rows(reference)) == {
        "conlleval_f1": 2 * right / (found + expected),
        "conlleval_precision": right / found,
        "conlleval_recall": right / expected if expected else 0.0,
    }


def _noisy(prefixes, seed):
    """Random references, and predictions that are right four times of five."""
    draw = random.Random(seed)
    tags = ["O", *(f"{prefix}-{kind}" for prefix in prefixes for kind in ("PER", "LOC", "creative-work"))]
    references = [[draw.choice(tags) for _ in range(draw.randint(1, 12))] for _ in range(300)]
    predictions = [[tag if draw.random() < 0.8 else draw.choice(tags) for tag in row] for row in references]
    return predictions, references


@pytest.mark.parametrize(("scheme", "theirs", "prefixes"), [("IOB2", IOB2, "BI"), ("BIOES", IOBES, "BIES")])
def test_entity_f1_equals_seqeval(scheme, theirs, prefixes):
    predictions, references = _noisy(prefixes, seed=5)
    ours = entity_f1(predictions, references, scheme=scheme)
    report = seqeval.metrics.classification_report(
        references, predictions, mode="strict", scheme=theirs, output_dict=True, zero_division=0
    )
    micro = report["micro avg"]
    assert ours["entity_f1"] == pytest.approx(micro["f1-score"], abs=1e-12)
    assert ours["entity_precision"] == pytest.approx(micro["precision"], abs=1e-12)
    assert ours["entity_recall"] == pytest.approx(micro["recall"], abs=1e-12)
    for kind, values in ours["per_entity"].items():
        assert values["f1"] == pytest.approx(report[kind]["f1-score"], abs=1e-12)
        assert values["support"] == report[kind]["support"]


def test_conlleval_f1_equals_seqevals_default_mode():
    predictions, references = _noisy("BI", seed=6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = seqeval.metrics.f1_score(references, predictions)
    assert conlleval_f1(predictions, references)["conlleval_f1"] == pytest.approx(expected, abs=1e-12)


def test_entity_errors_by_hand():
    references = rows("B-A I-A O B-A I-A O B-A I-A I-A O B-B O B-A O O")
    predictions = rows("B-A I-A O B-B I-B O B-A I-A O O B-B I-B O O B-A")
    # correct; type; boundary (a word short); boundary (a word long); missed; and one predicted out of nothing
    assert entity_errors(predictions, references) == {
        "entity_errors": {"correct": 1, "type": 1, "boundary": 2, "boundary_and_type": 0, "missed": 1, "spurious": 1}
    }


def test_an_entity_cut_in_two_is_one_boundary_error_and_nothing_spurious():
    assert entity_errors(rows("B-A B-A"), rows("B-A I-A"))["entity_errors"] == {
        "correct": 0, "type": 0, "boundary": 1, "boundary_and_type": 0, "missed": 0, "spurious": 0,
    }  # fmt: skip
    assert entity_errors(rows("B-B O"), rows("B-A I-A"))["entity_errors"]["boundary_and_type"] == 1


def test_entity_errors_count_every_reference_once():
    predictions, references = _noisy("BI", seed=7)
    errors = entity_errors(predictions, references, scheme="IOB2")["entity_errors"]
    values = entity_f1(predictions, references, scheme="IOB2")
    assert sum(errors.values()) - errors["spurious"] == sum(v["support"] for v in values["per_entity"].values())
    assert errors["correct"] == round(values["entity_recall"] * (sum(errors.values()) - errors["spurious"]))


def test_unseen_entity_recall_by_hand():
    references = [
        Tags(row("B-PER I-PER O B-LOC"), row("Ann Lee in Rome")),
        Tags(row("B-PER O B-PER"), row("Bo met ann")),
    ]
    predictions = rows("B-PER I-PER O B-PER", "I-PER O B-PER")
    # seen: "Ann Lee" right, "Rome" wrong type; unseen: "Bo" has no B-, "ann" right (another case than "Ann")
    values = unseen_entity_recall(predictions, references, known_entities=["Ann", "Ann Lee", "Rome"])
    assert values == {"unseen_entity_recall": 0.5, "seen_entity_recall": 0.5}


def test_a_recall_of_nothing_is_left_out():
    references = [Tags(["B-PER"], ["Bo"])]
    assert unseen_entity_recall(references, references, known_entities=[]) == {"unseen_entity_recall": 1.0}
    assert unseen_entity_recall(references, references, known_entities=["Bo"]) == {"seen_entity_recall": 1.0}


def test_tagging_accuracy_by_hand():
    values = tagging_accuracy(rows("NOUN VERB", "NOUN"), rows("NOUN NOUN", "VERB"))
    assert values["tagging_accuracy"] == 1 / 3
    assert values["per_tag"]["NOUN"] == {"f1": 0.5, "precision": 0.5, "recall": 0.5, "support": 2}
    assert values["per_tag"]["VERB"] == {"f1": 0.0, "precision": 0.0, "recall": 0.0, "support": 1}


def test_word_segmentation_by_hand():
    # 共同 创造 美好 的 新 世纪 / 共同 创造 美 好的 新世纪: 2 of 5 predicted and of 6 expected words are right
    reference = Tags(row("B E B E B E S S B E"), list("共同创造美好的新世纪"))
    prediction = row("B E B E S B E B M E")
    known = ["共同", "美好", "的", "新"]
    assert word_segmentation([prediction], [reference], known_words=known) == {
        "word_f1": 4 / 11, "word_precision": 2 / 5, "word_recall": 2 / 6,
        "oov_recall": 1 / 2, "iv_recall": 1 / 4, "oov_rate": 2 / 6,
    }  # fmt: skip


def test_word_segmentation_equals_the_definition_on_random_segmentations():
    draw = random.Random(8)
    gold, ours = [[_segmented(text, draw) for text in ["abcdefghij"] * 50] for _ in range(2)]
    right = sum(len(_spans(a) & _spans(b)) for a, b in zip(gold, ours, strict=True))
    values = word_segmentation(
        [_bmes(words) for words in ours], [Tags(_bmes(words), list("abcdefghij")) for words in gold], known_words=[]
    )
    assert values["word_precision"] == right / sum(map(len, ours))
    assert values["word_recall"] == values["oov_recall"] == right / sum(map(len, gold))


def _segmented(text, draw):
    cuts = [0, *(i for i in range(1, len(text)) if draw.random() < 0.5), len(text)]
    return [text[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]


def _spans(words):
    ends = [sum(map(len, words[: i + 1])) for i in range(len(words))]
    return {(end - len(word), end) for word, end in zip(words, ends, strict=True)}


def _bmes(words):
    return list("".join("S" if len(word) == 1 else f"B{'M' * (len(word) - 2)}E" for word in words))


def test_memory_reaches_metrics_by_parameter_name():
    references = [Tags(["I-PER", "O"], ["Bo", "met"])]
    names, memory = ["entity_f1", "unseen_entity_recall"], {"scheme": "IOB1", "known_entities": ["Bo"]}
    values = score(names, [["I-PER", "O"]], references, memory)
    assert values["entity_f1"] == 1.0  # by IOB1; as IOB2 there would be no entity
    assert values["seen_entity_recall"] == 1.0


def test_no_entities_at_all_score_zero():
    assert entity_f1(rows("O O"), rows("O O"), scheme="IOB2") == {
        "entity_f1": 0.0, "entity_precision": 0.0, "entity_recall": 0.0, "per_entity": {},
    }  # fmt: skip
