import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

from hf_tasks import data
from hf_tasks.data.checks import near_duplicates, run_checks
from hf_tasks.tasks import EncodedSplit, QuestionAnswering, Task, TextClassification, TextToText, TokenClassification

Rows = list[dict[str, Any]]
CLASSIFIER = TextClassification(name="text-classification")
FILMS = [
    {"text": "a quiet and moving film", "label": "good"},
    {"text": "slow in every one of its three hours", "label": "bad"},
] * 10
CLEAN = [row | {"text": f"{number} {row['text']} {number + 1}"} for number, row in enumerate(FILMS)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def findings(task: Task, readable: int = 512, encoded: dict[str, Any] | None = None, **rows: Rows) -> list[str]:
    """What `check` prints of rows that stand in train.jsonl, validation.jsonl, test.jsonl, one a line; `split` holds
    columns of the features of train where they matter."""
    splits = {}
    for name, several in rows.items():
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in several))
        splits[name] = data.read_file(f"{name}.jsonl", task)
    task = task.fit(splits["train"].examples)
    encoded_splits = {
        name: EncodedSplit(split.examples, _features(len(split), encoded or {})) for name, split in splits.items()
    }
    checked = run_checks(task, splits, encoded_splits, readable=readable, seed=1)
    return [str(finding) for finding in checked.issues]


def _features(size: int, columns: dict[str, Any]) -> Dataset:
    plain = {"example": range(size), "length": [5] * size, "tokens_cut": [0] * size}
    return Dataset.from_dict({name: list(values) for name, values in (plain | columns).items()})


def test_clean_data_have_no_findings() -> None:
    test = [{"text": "john lives in rome", "label": "good"}, {"text": "mary was born in london", "label": "bad"}]
    assert findings(CLASSIFIER, train=CLEAN, test=test) == []


def test_duplicates_and_contradictions() -> None:
    first, second = CLEAN[0], CLEAN[1]
    train = [*CLEAN, first, first | {"label": "bad"}, second]
    assert findings(CLASSIFIER, train=train, test=[{"text": "new", "label": "bad"}] * 2) == [
        "texts repeated with other labels: 1 of 23 in train (train.jsonl:22 = :1); correct them, or remove the rows",
        "texts repeated with the same labels: 2 of 23 in train, 1 of 2 in test (train.jsonl:21 = :1, :23 = :2, "
        "test.jsonl:2 = :1); remove them; otherwise they count several times",
    ]


def test_a_text_with_three_labels_contradicts_twice() -> None:
    train = [*CLEAN, *({"text": "odd", "label": label} for label in ("good", "bad", "good"))]
    assert findings(CLASSIFIER, train=train) == [
        "texts repeated with other labels: 1 of 23 in train (train.jsonl:22 = :21); correct them, or remove the rows",
        "texts repeated with the same labels: 1 of 23 in train (train.jsonl:23 = :21); remove them; otherwise they "
        "count several times",
    ]


def test_leaks_between_all_parts() -> None:
    new = {"text": "seen nowhere else", "label": "good"}
    splits = {"validation": [CLEAN[3], new], "test": [CLEAN[4] | {"label": "bad"}, new, CLEAN[3]]}
    assert findings(CLASSIFIER, train=CLEAN, **splits) == [
        "texts that are also in train: 1 of 2 in validation, 2 of 3 in test (validation.jsonl:1 = train.jsonl:4, "
        "test.jsonl:1 = train.jsonl:5, :3 = :4); 1 of them have other labels there; remove them from train; otherwise "
        "the scores are not those of unseen texts",
        "texts that are also in validation: 2 of 3 in test (test.jsonl:2 = validation.jsonl:2, :3 = :1); remove them "
        "from validation; otherwise the scores are not those of unseen texts",
    ]


def test_a_leak_has_another_label_only_where_no_such_row_has_the_same() -> None:
    other = CLEAN[4] | {"label": "bad"}
    leak, _ = findings(CLASSIFIER, train=[*CLEAN, other], test=[other])
    assert leak == (
        "texts that are also in train: 1 of 1 in test (test.jsonl:1 = train.jsonl:5); remove them from train; "
        "otherwise the scores are not those of unseen texts"
    )


def test_near_leaks_differ_in_case_and_signs_or_a_word_of_many() -> None:
    words = "the old king of the big city saw that a new queen was not good for the people by the river"
    train = [*CLEAN, {"text": words, "label": "good"}]
    test = [
        {"text": words.replace("good", "bad"), "label": "bad"},
        {"text": f"{words.title()}!", "label": "good"},
        {"text": words.replace("good", "bad").replace("king", "man"), "label": "bad"},
    ]
    assert findings(CLASSIFIER, train=train, test=test) == [
        "texts that are nearly in train (word similarity of at least 0.8): 2 of 3 in test (test.jsonl:1 = "
        "train.jsonl:21, :2 = :21); remove them from train; otherwise test scores are inflated"
    ]


def test_pairs_are_alike_only_where_both_sides_are() -> None:
    long = " ".join(f"word{number}" for number in range(100))
    train = [{"text": long, "text_pair": f"a claim number {i}", "label": "ab"[i % 2]} for i in range(20)]
    test = [
        {"text": long.title(), "text_pair": "nothing of the kind", "label": "a"},
        {"text": long.title(), "text_pair": "A claim; number 7.", "label": "a"},
    ]
    assert findings(CLASSIFIER, train=train, test=test) == [
        "pairs that are nearly in train (word similarity of at least 0.8): 1 of 2 in test (test.jsonl:2 = "
        "train.jsonl:8); remove them from train; otherwise test scores are inflated"
    ]


def test_labels_that_differ_only_by_case_or_blanks_and_rare_ones() -> None:
    train = [*CLEAN, {"text": "one", "label": "Good "}, {"text": "two", "label": "Good "}]
    assert findings(CLASSIFIER, train=train) == [
        'train: labels differ only by case or blanks: "good" 10 times, "Good " 2 times; write "good" in all rows; '
        "otherwise they are different labels",
        "train: 1 of 3 labels have fewer than 10 examples: Good  2; add examples, or merge these labels",
    ]


def test_labels_without_examples() -> None:
    task = TextClassification(name="text-classification", labels=("good", "bad", "dull"))
    test = [{"text": "no one else says that", "label": "dull"}]
    assert findings(task, train=CLEAN, test=test) == [
        "train: 1 of 3 labels have no example: dull; test has 1 of them; they cannot be learned; add examples, "
        "or leave them out of task.labels"
    ]


def test_uneven_labels() -> None:
    train = CLEAN + [{"text": f"film number {i}", "label": "good"} for i in range(90)]
    assert findings(CLASSIFIER, train=train) == [
        "train: the rarest label has 10 examples (bad), the most frequent 100 (good); select the "
        "checkpoint by macro F1; accuracy hides rare labels"
    ]


def test_the_order_of_several_labels_means_nothing() -> None:
    train = [{"text": str(i), "labels": ["a", "b"]} for i in range(10)]
    train += [{"text": "0", "labels": ["b", "a"]}, {"text": "1", "labels": ["b"]}]
    assert findings(CLASSIFIER, train=train) == [
        "texts repeated with other labels: 1 of 12 in train (train.jsonl:12 = :2); correct them, or remove the rows",
        "texts repeated with the same labels: 1 of 12 in train (train.jsonl:11 = :1); remove them; otherwise they "
        "count several times",
    ]


def test_tags_that_break_their_scheme() -> None:
    rows = [("Ann met Bo", "B-PER O B-PER"), ("in New York", "O I-LOC I-LOC"), ("Rome , Bonn", "B-LOC O I-LOC")]
    train = [{"tokens": words.split(), "tags": tags.split()} for words, tags in rows]
    assert findings(TokenClassification(name="token-classification"), train=train) == [
        "stretches of tags that break the rules of IOB2 and name no entity: 2 in train (train.jsonl:2, :3); "
        "correct the tags, or name their scheme as task.scheme"
    ]


@pytest.mark.parametrize(
    ("tags", "scheme", "example"), [("B-PER O PER", "none", "PER"), ("B-PER M-PER E-PER L-PER", "BMES", "L-PER")]
)
def test_mixed_schemes(tags: str, scheme: str, example: str) -> None:
    good = "B-PER I-PER B-LOC" if scheme == "none" else "B-PER M-PER E-PER"
    train = [{"tokens": list(row.split()), "tags": row.split()} for row in (good, tags)]
    found = findings(TokenClassification(name="token-classification"), train=train)
    assert found[0] == (
        f"sentences with tags of another scheme than {scheme}, such as {example}: 1 of 2 in train "
        "(train.jsonl:2); write one scheme everywhere, or name it as task.scheme"
    )


def test_sentences_with_other_tags() -> None:
    tagged = [("O", "B-PER"), ("B-PER", "O")]
    train = [{"tokens": ["Ann", "runs"], "tags": list(tags)} for tags in tagged]
    assert findings(TokenClassification(name="token-classification"), train=train) == [
        "sentences repeated with other tags: 1 of 2 in train (train.jsonl:2 = :1); correct them, or remove the rows"
    ]


def question(text: str, context: str, *answers: str) -> dict[str, Any]:
    starts = [context.index(answer) for answer in answers]
    return {"question": text, "context": context, "answers": {"text": list(answers), "answer_start": starts}}


def test_answers_and_contexts() -> None:
    context = "In the 1990s the Germans saw 12 cities."
    train = [
        question("When?", context, "1990s"),
        question("Who?", context, "German"),
        question("How many?", context, "12 "),
        question("When?", context, "1990s", "the 1990s"),
    ]
    test = [question("What?", context, "cities")]
    assert findings(QuestionAnswering(name="question-answering"), train=train, test=test) == [
        "questions whose context is also in train: 1 of 1 in test (test.jsonl:1 = train.jsonl:1); put each "
        "context into only one split",
        "questions repeated with other answers: 1 of 4 in train (train.jsonl:4 = :1); correct them, or remove the rows",
        "questions with blanks around an answer: 1 of 4 in train (train.jsonl:3); remove them",
        "questions with an answer that begins or ends inside a word: 1 of 4 in train (train.jsonl:2); let it begin and "
        "end where words do",
    ]


def test_a_source_may_have_several_targets_but_not_in_several_rows_of_a_test() -> None:
    task = TextToText(name="translation")
    rows = [{"source": "a dog", "target": "ein Hund"}, {"source": "a dog", "target": "der Hund"}]
    new = [{"source": "the king", "target": target} for target in ("der König", "König")]
    assert findings(task, train=rows) == []
    assert findings(task, train=rows, test=new) == [
        "sources repeated with other targets: 1 of 2 in test (test.jsonl:2 = :1); score them as one row with a list of "
        "targets"
    ]


def test_cut_texts_with_the_limits_that_would_hold_them() -> None:
    task = TextClassification(name="text-classification", max_length=16)
    lengths = {"length": [10] * 17 + [16] * 3, "tokens_cut": [0] * 17 + [5, 9, 30]}
    assert findings(task, encoded=lengths, train=CLEAN) == [
        "texts truncated to max_length 16: 3 of 20 in train, 44 tokens (16.8%) lost; task.max_length: 48 holds all for "
        "20.2% more tokens to read"
    ]
    assert findings(task, readable=32, encoded=lengths, train=CLEAN) == [
        "texts truncated to max_length 16: 3 of 20 in train, 44 tokens (16.8%) lost; task.max_length: 32 holds 95.0 % "
        "for 13.8% more tokens to read"
    ]
    assert findings(task, readable=16, encoded=lengths, train=CLEAN) == [
        "texts truncated to max_length 16: 3 of 20 in train, 44 tokens (16.8%) lost; the model reads 16 tokens at "
        "most; task.long_texts: windows reads them whole"
    ]


def test_lengths_of_a_sample() -> None:
    Path("train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in CLEAN))
    split = data.read_file("train.jsonl", CLASSIFIER)
    task = CLASSIFIER.model_copy(update={"max_length": 16}).fit(split.examples)
    some = split.examples.select([0, 3, 8, 12, 19])
    encoded = EncodedSplit(some, _features(5, {"length": [9, 9, 12, 14, 16], "tokens_cut": [0, 0, 0, 0, 8]}))
    checked = run_checks(task, {"train": split}, {"train": encoded}, readable=512, seed=1)
    assert checked.facts[1] == (
        "  lengths    95 % of 5 sampled texts have at most 24 tokens, 99 % 24, all 24 (of all 20: ± 19.1% and 8.7%); "
        "max_length 16"
    )
    assert [str(issue) for issue in checked.issues] == [
        "texts truncated to max_length 16: 1 of 5 sampled in train (20.00% ± 35.06% of all), 8 tokens (11.8%) lost; "
        "task.max_length: 24 holds all sampled for 13.3% more tokens to read"
    ]


def test_the_facts_and_the_brief_form() -> None:
    Path("train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*CLEAN, CLEAN[0]]))
    split = data.read_file("train.jsonl", CLASSIFIER)
    task = CLASSIFIER.fit(split.examples)
    encoded = EncodedSplit(split.examples, _features(21, {"length": [*range(10, 31)]}))
    checked = run_checks(task, {"train": split}, {"train": encoded}, readable=512, seed=1)
    assert checked.facts == [
        "  labels     11 good, 10 bad",
        "  lengths    95 % of the texts have at most 29 tokens, 99 % 30, all 30; max_length 512",
    ]
    repeated = (
        "  warning    texts repeated with the same labels: 1 of 21 in train (train.jsonl:21 = :1); remove them; "
        "otherwise they count several times"
    )
    assert list(checked.brief()) == [repeated]
    many = type(checked)(checked.facts, checked.issues * 7, checked.seconds)
    assert list(many.brief())[5:] == ["  warning    2 more, less severe; hf-tasks check shows all"]


def test_the_search_finds_what_comparing_all_pairs_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "AT_ONCE", 64)
    draw = random.Random(3)
    words = ["eins", "zwei", "drei", "vier", "fünf", "红", "色"]

    def rows(size: int) -> list[dict[str, str]]:
        return [{c: " ".join(draw.choices(words, k=draw.randint(1, 7))) for c in "ab"} for _ in range(size)]

    tested, searched = rows(150), rows(200)
    searched += [{"a": row["a"].upper(), "b": f"{row['b']}..."} for row in tested[:5]]
    alike = np.array(
        [[min(_jaccard(x[c], y[c]) for c in "ab") >= near_duplicates.SIMILAR for y in searched] for x in tested]
    )
    found = near_duplicates.search(Dataset.from_list(tested), Dataset.from_list(searched), ("a", "b"))
    assert (found >= 0).tolist() == alike.any(axis=1).tolist()
    assert alike.any(axis=1).sum() >= 5
    assert all(alike[row, found[row]] for row in np.flatnonzero(found >= 0))


def _jaccard(one: str, other: str) -> float:
    sets = []
    for text in (one, other):
        words = text.lower().replace(".", "").replace("红", " 红 ").replace("色", " 色 ").split()
        sets.append({*words, *zip(words, words[1:], strict=False)})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_more_than_can_be_searched_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "MOST_TESTED", 2)
    monkeypatch.setattr(near_duplicates, "MOST_SEARCHED", 20)
    train = [*CLEAN, {"text": "the one that is left out", "label": "good"}]
    test = [row | {"text": row["text"].upper()} for row in CLEAN[:8]]
    (found,) = findings(CLASSIFIER, train=train, test=test)
    assert found.startswith(
        "texts that are nearly in 20 sampled rows of train (word similarity of at least 0.8): 2 of 2 sampled in test ("
    )


def test_scores_far_outside_the_others_are_shown() -> None:
    regression = TextClassification(name="text-classification")
    rows = [{"text": f"film {i} of {i + 7} hours", "score": round(5 * i / 199, 2)} for i in range(200)]
    rows[3]["score"], rows[9]["score"] = 380.0, -1.0
    assert findings(regression, train=rows) == [
        "scores far outside the others, which are from 0 to 5: 380, -1 in train (2 of 200) (train.jsonl:4, :10); "
        "correct them, or remove the rows"
    ]
    normal = np.random.default_rng(0).normal(50, 10, 500)
    assert findings(regression, train=[{"text": f"book {i}", "score": float(x)} for i, x in enumerate(normal)]) == []


@pytest.mark.parametrize("mark", ["-", "N/A", "?", "-1", "-100", "#REF!"])
def test_labels_that_mean_that_there_is_none(mark: str) -> None:
    names = ["2", "3", "4", mark]
    rows = [{"text": f"film {i} of {i + 7} hours", "label": names[i % 4]} for i in range(80)]
    assert findings(CLASSIFIER, train=rows) == [
        f'train: labels that may mean "no label": "{mark}" 20 times; they are learned as a class of their own; '
        "remove these rows unless that is intended"
    ]


def test_minus_one_is_a_label_between_zero_and_one() -> None:
    rows = [{"text": f"film {i} of {i + 7} hours", "label": i % 3 - 1} for i in range(60)]
    assert findings(CLASSIFIER, train=rows) == []


def test_several_labels_in_two_notations() -> None:
    names = [["joy"], ["fear"], ["joy;fear"], ["fear", "joy"]]
    rows = [{"text": f"film {i} of {i + 7} hours", "labels": names[i % 4]} for i in range(80)]
    assert findings(CLASSIFIER, train=rows) == [
        'train: the label "joy;fear" (20 times) seems to be several, separated by ";"; write all rows in one way: a '
        "list, or one task.label_separator"
    ]


def test_tags_of_no_known_scheme() -> None:
    rows = [{"tokens": ["john", "sings", f"x{i}"], "tags": ["PER_B", "O", "O"]} for i in range(40)]
    assert findings(TokenClassification(name="token-classification"), train=rows)[0] == (
        "sentences with tags of no known scheme, such as PER_B; they are scored word by word, not as "
        "entities: 40 of 40 in train (train.jsonl:1, :2, :3); write entities as B-TYPE and I-TYPE"
    )


def test_a_length_beyond_the_model() -> None:
    task = TextClassification(name="text-classification", max_length=1024)
    assert findings(task, readable=512, train=CLEAN) == [
        "task.max_length is 1,024, the model reads 512 tokens; 512 is used; write that, or choose a model that "
        "reads more"
    ]
