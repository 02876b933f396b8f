import pytest

from hf_tasks.metrics.squad import best_threshold, exact, f1, f1_version_1, normalized, squad, squad_v2


def answered(text, difference=None, best=None):
    """A prediction; `best` is its best span where the answer is none."""
    row = {"answer": text, "nbest": [{"text": ""}, {"text": best or text}]}
    return row if difference is None else row | {"null_score_diff": difference}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("The  Cat!", "cat"),
        ("an apple a day", "apple day"),
        ("U.S.", "us"),
        ("theatre", "theatre"),
        ("the-a", "thea"),  # punctuation goes before the articles
        ("\u00c9lan\u00a0 vital", "\u00e9lan vital"),
        ("caf\u00e9 \u2013 bar", "caf\u00e9 \u2013 bar"),  # only ASCII punctuation goes
        ("The", ""),
        ("", ""),
    ],
)
def test_normalized(text, expected):
    assert normalized(text) == expected


@pytest.mark.parametrize(
    "prediction, reference, match, score",
    [
        ("Denver Broncos", "the Denver Broncos.", 1.0, 1.0),
        ("Denver Broncos", "Denver", 0.0, 2 / 3),  # precision 1/2, recall 1
        ("a b b c", "b b d", 0.0, 2 / 3),  # "a" is an article: b b of b b c, b b of b b d
        ("Denver", "Carolina", 0.0, 0.0),
        ("\u5317\u4eac", "\u5317\u4eac", 1.0, 1.0),
        ("", "Denver", 0.0, 0.0),
        ("Denver", "", 0.0, 0.0),
        ("", "", 1.0, 1.0),
        ("The", "", 1.0, 1.0),
    ],
)
def test_exact_match_and_f1_of_one_answer(prediction, reference, match, score):
    assert exact(prediction, reference) == match
    assert f1(prediction, reference) == pytest.approx(score)


def test_version_1_gives_nothing_for_texts_without_tokens():
    assert f1_version_1("The", "the") == 0.0
    assert f1_version_1("", "") == 0.0
    assert f1_version_1("Denver Broncos", "Denver") == pytest.approx(2 / 3)


def test_squad_takes_the_best_reference():
    predictions = [answered("Denver Broncos"), answered("Rome"), answered("in the city of Paris")]
    references = [["Denver", "The Denver Broncos"], ["Oslo"], ["Paris", "city of light"]]
    # f1: 1, 0, max(2 * 1 / (4 + 1), 2 * 2 / (4 + 3))
    assert squad(predictions, references) == {
        "f1": pytest.approx(100 * (1 + 4 / 7) / 3), "exact_match": pytest.approx(100 / 3),
    }  # fmt: skip


def test_squad_of_questions_without_answer():
    assert squad([answered(""), answered("Rome")], [[], []]) == {"f1": 50.0, "exact_match": 50.0}


def test_squad_v2_by_hand():
    predictions = [answered("Denver Broncos"), answered("Rome of old"), answered(""), answered("Oslo"), answered("")]
    references = [["Denver Broncos"], ["Rome"], ["Bonn"], [], []]
    # f1: 1, 2 * 1 / (3 + 1) = 0.5, 0 | 0, 1
    assert squad_v2(predictions, references) == {
        "f1": pytest.approx(50.0), "exact": pytest.approx(40.0),
        "HasAns_f1": pytest.approx(50.0), "HasAns_exact": pytest.approx(100 / 3), "HasAns_total": 3,
        "NoAns_f1": 50.0, "NoAns_exact": 50.0, "NoAns_total": 2,
    }  # fmt: skip


def test_squad_v2_where_every_question_has_an_answer():
    values = squad_v2([answered("Rome")], [["Rome"]])
    assert values == {
        "f1": 100.0, "exact": 100.0, "HasAns_f1": 100.0, "HasAns_exact": 100.0, "HasAns_total": 1, "NoAns_total": 0,
    }  # fmt: skip


def test_references_that_are_only_articles_count_as_none():
    values = squad_v2([answered("")], [["The"]])
    assert (values["exact"], values["HasAns_total"]) == (100.0, 1)


def test_squad_v2_reports_the_best_thresholds():
    predictions = [
        answered("Rome", -2.0),
        answered("", 1.0, best="Paris in spring"),
        answered("", 2.0, best="Oslo"),
        answered("", 3.0, best="Bonn"),
    ]
    references = [["Rome"], ["Paris"], [], ["Bonn"]]
    # answered up to -2: 1 + 1 refused rightly = 2; up to 1: exact 2, f1 2.5; up to 2: 1 and 1.5; up to 3: 2 and 2.5
    values = squad_v2(predictions, references)
    assert values["best_exact"] == 50.0
    assert values["best_exact_thresh"] == -2.0
    assert values["best_f1"] == pytest.approx(62.5)
    assert values["best_f1_thresh"] == 1.0
    assert values["exact"] == 50.0
    assert values["f1"] == 50.0


def every_threshold(predictions, references, measure):
    """The best mean over all thresholds, one after the other."""
    values = []
    for threshold in [-1e9, *(row["null_score_diff"] for row in predictions)]:
        total = 0.0
        for row, texts in zip(predictions, references, strict=True):
            text = row["nbest"][1]["text"] if row["null_score_diff"] <= threshold else ""
            total += max(measure(text, right) for right in texts or [""])
        values.append(100 * total / len(references))
    return max(values)


def test_best_threshold_is_the_best_of_all():
    texts = ["rome", "oslo", "bonn", "old rome"]
    for size in range(1, 30):
        chosen = [(i * 7 + size) % 4 for i in range(size)]
        predictions = [answered("", ((i * 37 + size) % 11) / 2 - 2, best=texts[k]) for i, k in enumerate(chosen)]
        references = [[texts[(k + i) % 4]] if (i + size) % 3 else [] for i, k in enumerate(chosen)]
        for measure in (exact, f1):
            best, threshold = best_threshold(predictions, references, measure)
            assert best == pytest.approx(every_threshold(predictions, references, measure))
            reached = [
                row | {"answer": row["nbest"][1]["text"] * (row["null_score_diff"] <= threshold)} for row in predictions
            ]
            name = "exact" if measure is exact else "f1"
            assert squad_v2(reached, references)[name] == pytest.approx(best)


def test_refusing_every_question_may_be_best():
    predictions = [answered("Rome", -2.0), answered("Oslo", 5.0)]
    assert best_threshold(predictions, [[], []], f1) == (100.0, -3.0)


def test_equal_differences_fall_on_the_same_side():
    predictions = [answered("Rome", 1.0), answered("Oslo", 1.0), answered("Bonn", 1.0)]
    assert best_threshold(predictions, [["Rome"], [], []], exact) == (pytest.approx(200 / 3), 0.0)
    assert best_threshold(predictions, [["Rome"], ["Oslo"], []], exact) == (pytest.approx(200 / 3), 1.0)
