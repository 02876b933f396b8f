import json
import random
from collections import defaultdict

import numpy as np
import pytest
import torch
from conftest import WORDS
from datasets import Dataset
from found import errors, notes
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from hf_tasks import data, recipe
from hf_tasks.core.errors import DataError, RecipeError
from hf_tasks.metrics import score
from hf_tasks.runs import evaluation
from hf_tasks.tasks import EncodedSplit, QuestionAnswering
from hf_tasks.tasks.collate import PaddingCollator

CONTEXT = "john was born in paris and died in rome"


def task(**keys):
    return QuestionAnswering(name="question-answering", **{"max_length": 64, "doc_stride": 16} | keys)


def answers(*texts, context=CONTEXT):
    return {"text": list(texts), "answer_start": [f" {context} ".index(f" {text} ") for text in texts]}


def rows(*found, context=CONTEXT):
    """Examples, one for each tuple of answers, all with the same context."""
    return Dataset.from_list(
        [
            {
                "id": f"q{i}",
                "question": "where was john born?",
                "context": context,
                "answers": answers(*texts, context=context),
            }
            for i, texts in enumerate(found)
        ]
    )


def long_examples(n, seed, most=150, blanks=(" ", "  ", "\n")):
    """Examples with contexts of up to `most` words, some of them odd, an answer in each and every fifth without one."""
    draw = random.Random(seed)
    odd = ["caf\u00e9", "\u4e2d\u6587", "\U0001f600", "x-y", "3.5", "u.s.", "wow!", "a\u0301b", "supercalifragilistic"]
    examples = []
    for i in range(n):
        words = draw.choices([*WORDS, *odd], k=draw.randint(1, most))
        context = "".join(word + draw.choice(blanks) for word in words) + draw.choice(["", "."])
        start = draw.randrange(len(context) - 1)
        while context[start].isspace():
            start -= 1
        text = context[start : start + draw.randint(1, 30)].rstrip()
        found = {"text": [text], "answer_start": [start]} if i % 5 else {"text": [], "answer_start": []}
        question = draw.choice(["", "  "]) + " ".join(draw.choices(WORDS, k=draw.randint(1, 5))) + "?"
        examples.append({"id": f"q{i}", "question": question, "context": context, "answers": found})
    return Dataset.from_list(examples)


def plain(features):
    """Columns of plain numbers and lists, as a Dataset gives them back."""
    return Dataset.from_dict(features)[:]


@pytest.fixture(params=["bert", "distilbert", "roberta", "albert"])
def tokenizer(request, tiny):
    return AutoTokenizer.from_pretrained(tiny(request.param))


@pytest.fixture
def bert(tiny):
    return AutoTokenizer.from_pretrained(tiny("bert"))


# -- from rows to examples


def test_example():
    row = {"id": 7, "question": "who?", "context": CONTEXT, "answers": [{"text": "john", "answer_start": 0}]}
    assert task().parse(row) == {
        "id": "7", "question": "who?", "context": CONTEXT, "answers": {"text": ["john"], "answer_start": [0]},
    }  # fmt: skip
    assert task().parse({"question": "who?", "context": CONTEXT}) == {"question": "who?", "context": CONTEXT}
    assert task().parse({"question": "who?", "context": CONTEXT, "is_impossible": True}) == {
        "question": "who?", "context": CONTEXT,
    }  # fmt: skip


@pytest.mark.parametrize(
    "row, message",
    [
        ({"question": None, "context": "c"}, "the question is missing; write it or remove the row"),
        ({"question": "q", "context": 3}, "the context is not a string but 3; quote it"),
        ({"id": None, "question": "q", "context": "c"}, "the id is missing; give every question one, or none of them"),
    ],
)
def test_what_is_wrong_with_rows(row, message):
    with pytest.raises(ValueError) as error:
        task().parse(row)
    assert str(error.value) == message


def test_missing_columns():
    assert task().columns.missing(["question"], labelled=False) == 'column "context"'
    assert task().columns.missing(["question", "context"], labelled=True) == 'column "answers" or "answer_text"'
    assert task().columns.missing(["question", "context", "answer_text"], labelled=True) == 'column "answer_start"'
    assert task().columns.missing(["question", "context", "answer_text", "answer_start"], labelled=True) is None
    assert task().columns.missing(["question", "context", "answers"], labelled=True) is None


def test_clashes():
    written = "name: x\ntask:\n  name: question-answering\n  %s\ndata: {train: a}\nmodel: {name_or_path: m}\n"
    for keys, problem in [
        (
            "doc_stride: 380",
            "r:4: task.doc_stride: windows of 384 tokens cannot overlap by 380; give at most 192",
        ),
        (
            "{version_2_with_negative: false, null_score_diff_threshold: 1.0}",
            "r:4: task.null_score_diff_threshold: every question gets an answer, there is nothing to decide; remove it",
        ),
    ]:
        text = (written % keys).replace("  {", "  ").replace("}\ndata", "\ndata").replace(", null", "\n  null")
        with pytest.raises(RecipeError) as error:
            recipe.validate(recipe.yaml_file.parse(text, "r"))
        assert str(error.value) == problem.replace("r:4", "r:5" if "null_score" in problem else "r:4")


def test_check_names_the_question():
    blank = {"id": "q7", "question": " ", "context": "in Paris", "answers": answers("in", context="in")}
    assert errors(task(), blank) == ["the question is empty; write it or remove the row"]
    wrong = {"text": ["Paris", "in", " "], "answer_start": [2, 0, 2]}
    assert errors(task(), {"id": "q7", "question": "where?", "context": "in Paris", "answers": wrong}) == [
        'answer "Paris" is not at character 2 (found " Pari"); it is off by 1; write answer_start 3 (question "q7")',
        'an answer is blank; correct or remove it (question "q7")',
    ]


def test_empty_answers_without_a_flag_are_counted_and_stop_or_are_dropped(tmp_path):
    file = tmp_path / "rows.jsonl"
    right = {"question": "where?", "context": "in Paris", "answers": {"text": ["Paris"], "answer_start": [3]}}
    none = right | {"answers": {"text": [], "answer_start": []}}
    file.write_text("".join(json.dumps(row) + "\n" for row in (right, *[none] * 12, none | {"is_impossible": True})))
    problem = (
        "the answer is empty; write it, or mark a question without answer with is_impossible: true, or all of them "
        "with task.version_2_with_negative: true"
    )
    for asked in (task(), task(version_2_with_negative=False)):
        with pytest.raises(DataError) as error:
            data.read_file(str(file), asked)
        assert error.value.problems == (
            *(f"{file}:{line}: {problem}" for line in range(2, 12)),
            "... and 2 more rows; correct these rows or remove them",
        )
        split = data.read_file(str(file), asked, bad_rows="drop")
        assert (len(split), split.dropped) == (2, 12)
    split = data.read_file(str(file), task(version_2_with_negative=True))
    assert [len(found["text"]) for found in split.examples["answers"][:]] == [1] + [0] * 13


def test_repeated_ids_are_found_among_all_examples(tmp_path):
    file = tmp_path / "rows.jsonl"
    row = {"question": "where?", "context": "in Paris", "answers": {"text": ["Paris"], "answer_start": [3]}}
    file.write_text("".join(json.dumps(row | {"id": name}) + "\n" for name in ("a", "b", "a")))
    split = data.read_file(str(file), task())
    with pytest.raises(DataError) as error:
        data.check(split, task())
    assert error.value.problems[0] == f'{file}:3: an earlier question has the id "a" too; give each its own'
    kept = data.check(split, task(), "drop")
    assert (kept.examples["id"][:], kept.dropped) == (["a", "b"], 1)


def test_resolve_looks_for_questions_without_answer():
    only, mixed = rows(("paris",), ("rome",)), rows(("paris",), ())
    assert task().fit(only).version_2_with_negative is False
    assert task().fit(only).metrics == ("squad",)
    assert task().fit(mixed).version_2_with_negative is True
    assert task().fit(mixed).metrics == ("squad_v2",)
    assert task(version_2_with_negative=False).fit(mixed).metrics == ("squad",)
    assert task(metrics=("cmrc2018",)).fit(only).metrics == ("cmrc2018",)


# -- from examples to features


def run_qa_features(examples, tokenizer, max_length, doc_stride):
    """Windows and labels as the training features of run_qa.py of transformers."""
    encoded = tokenizer(
        [question.lstrip() for question in examples["question"][:]], examples["context"][:], truncation="only_second",
        max_length=max_length, stride=doc_stride, return_overflowing_tokens=True, return_offsets_mapping=True,
    )  # fmt: skip
    labels = []
    for i, offsets in enumerate(encoded["offset_mapping"]):
        found = examples["answers"][encoded["overflow_to_sample_mapping"][i]]
        sequences = encoded.sequence_ids(i)
        if not found["text"] or 1 not in sequences:
            labels.append([0, 0])
            continue
        start_char = found["answer_start"][0]
        end_char = start_char + len(found["text"][0])
        start, end = sequences.index(1), len(sequences) - 1 - sequences[::-1].index(1)
        last = end
        if not (offsets[start][0] <= start_char and offsets[end][1] >= end_char):
            labels.append([0, 0])
            continue
        while start <= last and offsets[start][0] <= start_char:  # run_qa.py goes on into the special tokens
            start += 1
        while offsets[end][1] >= end_char:
            end -= 1
        labels.append([start - 1, end + 1])
    return encoded, labels


@pytest.mark.parametrize("max_length, doc_stride", [(64, 16), (48, 12), (40, 0)])
def test_windows_and_labels_are_those_of_run_qa(tokenizer, max_length, doc_stride):
    examples = long_examples(60, seed=max_length)
    features = plain(task(max_length=max_length, doc_stride=doc_stride).encode(examples[:], tokenizer))
    expected, labels = run_qa_features(examples, tokenizer, max_length, doc_stride)
    assert len(labels) > 150
    assert features["example"] == expected["overflow_to_sample_mapping"]
    for name in tokenizer.model_input_names:
        assert features[name] == expected[name]
    assert features["labels"] == labels
    assert features["length"] == [len(ids) for ids in expected["input_ids"]]
    assert features["tokens_cut"] == [0] * len(labels)
    for i, begin in enumerate(features["context_start"]):
        sequences = expected.sequence_ids(i)
        context = [place for place, sequence in enumerate(sequences) if sequence == 1]
        assert context == list(range(begin, features["context_end"][i]))


def test_features_of_one_example(bert):
    features = plain(task().encode(rows(("paris", "in paris"))[:], bert))
    tokens = bert.convert_ids_to_tokens(features["input_ids"][0])
    assert " ".join(tokens) == "[CLS] where was john born ? [SEP] john was born in paris and died in rome [SEP]"
    assert features["labels"] == [[11, 11]]
    assert (
        features["offsets"][0]
        == np.array(
            [[0, 4], [5, 8], [9, 13], [14, 16], [17, 22], [23, 26], [27, 31], [32, 34], [35, 39]], np.int32
        ).tobytes()
    )
    assert {name: features[name] for name in ("example", "length", "context_start", "context_end", "answer_lost")} == {
        "example": [0], "length": [17], "context_start": [7], "context_end": [16], "answer_lost": [0],
    }  # fmt: skip


def test_unlabelled_examples_have_no_labels(bert):
    features = task().encode({"question": ["who?"], "context": [CONTEXT]}, bert)
    assert {"labels", "answer_lost"}.isdisjoint(features)


def test_the_answer_may_be_the_last_word_of_a_window(bert):
    features = plain(task().encode(rows(("rome",))[:], bert))
    assert features["labels"] == [[15, 15]]


def test_blanks_around_an_answer_do_not_move_its_labels(bert):
    padded = {"text": [" paris "], "answer_start": [CONTEXT.index(" paris ")]}
    features = plain(task().encode({"question": ["where?"], "context": [CONTEXT], "answers": [padded]}, bert))
    place = bert.convert_ids_to_tokens(features["input_ids"][0]).index("paris")
    assert features["labels"] == [[place, place]]


def test_an_answer_in_no_window_is_counted(bert):
    context = " ".join(WORDS[:60] + ["paris"] + WORDS[:60])
    whole = " ".join(WORDS[40:60])
    examples = rows((whole,), ("paris",), (), context=context)
    features = Dataset.from_dict(task(doc_stride=8, max_answer_length=25).encode(examples[:], bert))
    per_example = defaultdict(list)
    for example, lost, labels in zip(
        *(features[name][:] for name in ("example", "answer_lost", "labels")), strict=True
    ):
        per_example[example].append((lost, labels != [0, 0]))
    assert per_example[0] == [(1, False), (0, False), (0, False)]
    assert sorted(per_example[1]) == [(0, False), (0, False), (0, True)]
    assert per_example[2] == [(0, False)] * 3
    assert notes(task(), EncodedSplit(examples, features)) == [
        "1 questions have no answer",
        "1 answers lie in no window as a whole and cannot be learned; raise doc_stride",
    ]


def test_answers_that_are_too_long_to_be_found_are_counted(bert):
    examples = rows(("john was born",), ("john was",))
    features = Dataset.from_dict(task().encode(examples[:], bert))
    encoded = EncodedSplit(examples, features)
    assert notes(task(max_answer_length=2), encoded) == [
        "1 answers are longer than max_answer_length (2 tokens) and cannot be found"
    ]
    assert notes(task(max_answer_length=3), encoded) == []


def test_a_long_question_is_cut_so_that_windows_stay_few(bert):
    question, context = " ".join(["who"] * 100), " ".join(["paris"] * 100)
    features = plain(task().encode({"question": [question], "context": [context]}, bert))
    # 64 - 3 special tokens - 16 shared ones leave 45, of which the question keeps 22; a window advances by 23
    assert features["context_start"][0] == 22 + 2
    assert features["tokens_cut"] == [100 - 22, 0, 0, 0]
    assert [end - start for start, end in zip(features["context_start"], features["context_end"], strict=True)] == [
        39, 39, 39, 100 - 3 * 23,
    ]  # fmt: skip


def test_texts_without_tokens_still_give_a_feature(tokenizer):
    features = plain(task().encode({"question": ["", "who?"], "context": ["john", " "]}, tokenizer))
    assert features["example"] == [0, 1]


def test_windows_that_cannot_advance(bert):
    with pytest.raises(RecipeError) as error:
        task(max_length=384, doc_stride=128).encode(rows(("paris",))[:], bert)
    assert str(error.value) == "task.doc_stride: windows of 64 tokens cannot overlap by 128; give at most 21"


def test_tokenizers_that_cannot_serve(bert):
    bert.padding_side = "left"
    with pytest.raises(RecipeError) as error:
        task().encode(rows(("paris",))[:], bert)
    assert str(error.value) == "model.name_or_path: its tokenizer pads on the left; choose one that pads on the right"


# -- from outputs to predictions


def run_qa_answers(task, examples, features, logits):
    """Predictions as `postprocess_qa_predictions` of transformers' utils_qa.py makes them."""
    windows = defaultdict(list)
    for i, example in enumerate(features["example"]):
        windows[example].append(i)
    found = []
    for row, context in enumerate(examples["context"][:]):
        null, spans = None, []
        for i in windows[row]:
            length = features["length"][i]
            start_logits, end_logits = (side[i][:length] for side in logits)
            begin, stop = features["context_start"][i], features["context_end"][i]
            places = np.frombuffer(features["offsets"][i], np.int32).reshape(-1, 2).tolist()
            offsets = [None] * begin + places + [None] * (length - stop)
            if null is None or start_logits[0] + end_logits[0] < null[0]:
                null = (start_logits[0] + end_logits[0], 0, 0)
            for s in np.argsort(start_logits, kind="stable")[-1 : -task.n_best_size - 1 : -1]:
                for e in np.argsort(end_logits, kind="stable")[-1 : -task.n_best_size - 1 : -1]:
                    if offsets[s] is None or offsets[e] is None or not s <= e < s + task.max_answer_length:
                        continue
                    spans.append((start_logits[s] + end_logits[e], offsets[s][0], offsets[e][1]))
        spans = [span for span in spans if span[1] < span[2]]
        if task.version_2_with_negative:
            spans.append(null)
        nbest = sorted(spans, key=lambda span: span[0], reverse=True)[: task.n_best_size]
        if task.version_2_with_negative and null not in nbest:
            nbest.append(null)
        scores = np.exp(np.array([span[0] for span in nbest]) - nbest[0][0])
        best = next(span for span in nbest if span[2])
        difference = null[0] - best[0]
        refused = task.version_2_with_negative and difference > (task.null_score_diff_threshold or 0)
        texts = [context[start:end] for _, start, end in nbest]
        found.append(("" if refused else context[best[1] : best[2]], texts, scores / scores.sum(), difference))
    return found


def reduced(task, features, logits, batch_size=16, scores_only=False):
    """Items of `reduce` in batches, each as wide as its longest window."""
    items = []
    for i in range(0, len(features), batch_size):
        columns = features[i : i + batch_size]
        start, end = (torch.from_numpy(side[i : i + batch_size, : max(columns["length"])]) for side in logits)
        items += task.postprocessor(scores_only=scores_only).reduce({"start_logits": start, "end_logits": end}, columns)
    return items


@pytest.mark.parametrize("threshold, digits", [(None, 7), (1.5, 7), (None, 0)])
@pytest.mark.parametrize("negative", [False, True])
def test_predictions_are_those_of_run_qa(tokenizer, negative, threshold, digits):
    asked = task(version_2_with_negative=negative, null_score_diff_threshold=threshold, n_best_size=10)
    examples = long_examples(80, seed=1, blanks=[" "])
    features = Dataset.from_dict(asked.encode(examples[:], tokenizer))
    logits = np.random.default_rng(0).normal(scale=3, size=(2, len(features), 64)).round(digits).astype(np.float32)
    logits[:, :, 0] += 7
    expected = run_qa_answers(asked, examples, features[:], logits)
    predictions = asked.postprocessor().decode(reduced(asked, features, logits), EncodedSplit(examples, features))
    assert [row["id"] for row in predictions] == examples["id"][:]
    for row, context, (answer, texts, probabilities, difference) in zip(
        predictions, examples["context"][:], expected, strict=True
    ):
        assert row["answer"] == answer == context[row["start"] : row["end"]]
        assert [entry["text"] for entry in row["nbest"]] == texts
        assert [entry["probability"] for entry in row["nbest"]] == pytest.approx(probabilities, abs=1e-6)
        assert row["score"] == next(entry["probability"] for entry in row["nbest"] if entry["text"] == answer)
        if negative:
            assert row["null_score_diff"] == pytest.approx(difference, abs=1e-5)
        else:
            assert "null_score_diff" not in row
    if negative:
        assert 5 < sum(row["answer"] == "" for row in predictions) < 70


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("scale, digits", [(3, 7), (1, 0), (0, 0)])
def test_predictions_for_scores_have_the_same_answers(tokenizer, negative, scale, digits):
    asked = task(version_2_with_negative=negative, n_best_size=5)
    examples = long_examples(60, seed=2)
    features = Dataset.from_dict(asked.encode(examples[:], tokenizer))
    logits = (np.random.default_rng(0).normal(size=(2, len(features), 64)) * scale).round(digits).astype(np.float32)
    encoded = EncodedSplit(examples, features)
    full = asked.postprocessor().decode(reduced(asked, features, logits), encoded)
    items = reduced(asked, features, logits, scores_only=True)
    short = asked.postprocessor(scores_only=True).decode(items, encoded)
    assert [row["answer"] for row in short] == [row["answer"] for row in full]
    references = asked.metric_inputs([], examples).references
    name = "squad_v2" if negative else "squad"
    assert score((name,), short, references, {}) == score((name,), full, references, {})
    assert all(len(item) <= 2 for item in items)


def perfect(features):
    """Logits (2, N, L) that say what the labels say."""
    logits = np.full((2, len(features), max(features["length"][:])), -20.0, np.float32)
    for i, (first, last) in enumerate(features["labels"][:]):
        logits[0, i, first] = logits[1, i, last] = 20.0
    return logits


@pytest.mark.parametrize("negative", [False, True])
def test_perfect_logits_give_the_references(tokenizer, negative):
    context = " ".join(WORDS * 3)
    texts = [(" ".join(WORDS[i : i + 1 + i % 3]),) for i in range(3, 30)] + [()] * (5 if negative else 0)
    examples = rows(*texts, context=context)
    asked = task(max_length=40, doc_stride=12, version_2_with_negative=negative).fit(examples)
    features = Dataset.from_dict(asked.encode(examples[:], tokenizer))
    items = reduced(asked, features, perfect(features))
    predictions = asked.postprocessor().decode(items, EncodedSplit(examples, features))
    assert [row["answer"] for row in predictions] == [text[0] if text else "" for text in texts]
    answered = asked.metric_inputs(predictions, examples).predictions
    values = score(asked.metrics, answered, asked.metric_inputs([], examples).references, {})
    assert values["n"] == len(texts)
    assert values["f1"] == 100.0
    assert values["exact" if negative else "exact_match"] == 100.0


def test_one_prediction_in_full(bert):
    examples = rows(("paris",)).remove_columns(["id", "answers"])
    asked = task(version_2_with_negative=True, n_best_size=2)
    features = Dataset.from_dict(asked.encode(examples[:], bert))
    logits = np.full((2, 1, 17), -30.0, np.float32)
    logits[0, 0, [0, 11]], logits[1, 0, [0, 11]] = [1.0, 2.0], [1.5, 3.0]
    (row,) = asked.postprocessor().decode(reduced(asked, features, logits), EncodedSplit(examples, features))
    right = 1 / (1 + np.exp(-2.5))
    assert row == {
        "id": "1", "answer": "paris", "start": 17, "end": 22, "score": pytest.approx(right), "null_score_diff": -2.5,
        "nbest": [
            {"text": "paris", "start": 17, "end": 22, "probability": pytest.approx(right)},
            {"text": "", "start": 0, "end": 0, "probability": pytest.approx(1 - right)},
        ],
    }  # fmt: skip
    stricter = asked.model_copy(update={"null_score_diff_threshold": -2.6})
    (row,) = stricter.postprocessor().decode(reduced(asked, features, logits), EncodedSplit(examples, features))
    assert (row["answer"], row["start"], row["end"], row["score"]) == ("", 0, 0, pytest.approx(1 - right))


def test_no_answer_needs_all_windows_to_agree(bert):
    context = " ".join(["a"] * 100)
    examples = Dataset.from_dict({"question": ["who?"], "context": [context]})
    asked = task(version_2_with_negative=True)
    features = Dataset.from_dict(asked.encode(examples[:], bert))
    logits = np.full((2, len(features), 64), -5.0, np.float32)
    assert len(features) == 2
    logits[:, :, 0] = [[9.0, 1.0]]  # the second window sees an answer
    (row,) = asked.postprocessor().decode(reduced(asked, features, logits), EncodedSplit(examples, features))
    assert row["null_score_diff"] == 2.0 - -10.0


def test_a_token_without_characters_is_no_answer(tiny):
    tokenizer = AutoTokenizer.from_pretrained(tiny("roberta"))
    examples = Dataset.from_dict({"question": ["who?"], "context": ["john  mary"]})
    features = Dataset.from_dict(task().encode(examples[:], tokenizer))
    begin, end = features[0]["context_start"], features[0]["context_end"]
    offsets = np.frombuffer(features[0]["offsets"], np.int32).reshape(-1, 2).tolist()
    blank = begin + next(i for i, (start, stop) in enumerate(offsets) if start == stop)
    logits = np.zeros((2, 1, end + 1), np.float32)
    logits[:, :, blank], logits[:, :, end - 1] = 9.0, 5.0
    (row,) = task().postprocessor().decode(reduced(task(), features, logits), EncodedSplit(examples, features))
    assert all(entry["text"][:1].strip() for entry in row["nbest"])
    assert (row["answer"], row["start"], row["end"]) == ("mary", 6, 10)
    items = reduced(task(), features, logits, scores_only=True)
    encoded = EncodedSplit(examples, features)
    assert task().postprocessor(scores_only=True).decode(items, encoded) == [{"answer": "mary"}]


@pytest.mark.parametrize("negative", [False, True])
def test_a_context_without_tokens_gets_no_answer(bert, negative):
    examples = Dataset.from_dict({"question": ["who?", "who?"], "context": [" ", "john"]})
    asked = task(version_2_with_negative=negative)
    features = Dataset.from_dict(asked.encode(examples[:], bert))
    logits = np.zeros((2, 2, 8), np.float32)
    logits[:, :, 4] = 1.0
    none, john = asked.postprocessor().decode(reduced(asked, features, logits), EncodedSplit(examples, features))
    assert (none["answer"], none["score"]) == ("", 1.0 if negative else 0.0)
    assert john["answer"] == "john"


def test_loss_is_the_mean_of_the_models_own_two(tiny):
    model = AutoModelForQuestionAnswering.from_pretrained(tiny("bert")).eval()
    ids = torch.arange(5, 45).reshape(4, 10)
    labels = torch.tensor([[1, 3], [0, 0], [9, 9], [2, 8]])
    with torch.inference_mode():
        outputs = model(input_ids=ids, start_positions=labels[:, 0], end_positions=labels[:, 1])
        found = task().loss(outputs, {"labels": labels})
        halves = [task().loss(_rows(outputs, split), {"labels": labels[split]}, 8) for split in (slice(1), slice(1, 4))]
    assert found.item() == pytest.approx(outputs.loss.item(), abs=1e-6)
    assert sum(halves).item() == pytest.approx(outputs.loss.item(), abs=1e-6)


def _rows(outputs, split):
    return {name: outputs[name][split] for name in ("start_logits", "end_logits")}


def test_features_go_through_a_model(tiny, tokenizer):
    model = AutoModelForQuestionAnswering.from_pretrained(tokenizer.name_or_path).eval()
    examples = long_examples(6, seed=3)
    encoded = evaluation.encode(examples, task(version_2_with_negative=True), tokenizer)
    predicted = evaluation.predict(model, task(version_2_with_negative=True), encoded, tokenizer, batch_size=4)
    assert [row["id"] for row in predicted.predictions] == examples["id"][:]
    assert 2 < predicted.loss < 7  # near the logarithm of the window's length
    alone = evaluation.predict(model, task(version_2_with_negative=True), encoded, tokenizer, batch_size=1)
    for row, other in zip(predicted.predictions, alone.predictions, strict=True):
        assert row["null_score_diff"] == pytest.approx(other["null_score_diff"], abs=1e-4)


# -- the threshold


def prediction(text, difference):
    return {"answer": text, "null_score_diff": difference, "nbest": [{"text": ""}, {"text": text}]}


def test_tune_finds_the_threshold_with_the_highest_f1():
    predictions = [
        prediction("paris", -3.0),
        prediction("rome", 1.5),
        prediction("london", 2.0),
        prediction("oslo", 4.0),
    ]
    references = [["paris"], ["rome"], [], ["oslo"]]
    negative = task(version_2_with_negative=True)
    # up to -3: 1 right + 1 refused rightly; up to 1.5: 2 + 1; up to 2: 2; up to 4: 3
    assert negative.postprocessor().calibrate
    assert negative.with_threshold(predictions, references).null_score_diff_threshold == 1.5
    assert not task(version_2_with_negative=False).postprocessor().calibrate
    assert not task(version_2_with_negative=True, null_score_diff_threshold=0.5).postprocessor().calibrate


def test_a_tuned_threshold_is_kept_in_the_recipe():
    tuned = task(version_2_with_negative=True).model_copy(update={"null_score_diff_threshold": -1.25})
    values = {"name": "x", "data": {"train": "a"}, "model": {"name_or_path": "m"}}
    whole = recipe.from_dict(values | {"task": json.loads(tuned.model_dump_json(exclude_unset=True))})
    assert recipe.validate(recipe.yaml_file.parse(recipe.to_yaml(whole), "r")).task == tuned


def test_a_tiny_model_learns_to_find_the_city(tiny):
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(tiny("bert"))
    model = AutoModelForQuestionAnswering.from_pretrained(tiny("bert"))
    draw = random.Random(0)
    texts = []
    for i in range(80):
        words = draw.choices([word for word in WORDS if word not in ("paris", "london", "rome")], k=12)
        if i % 4:
            words.insert(draw.randrange(12), draw.choice(["paris", "london", "rome"]))
        texts.append(" ".join(words))
    examples = Dataset.from_list(
        [
            {"id": str(i), "question": "where?", "context": text, "answers": answers(*city, context=text)}
            for i, text in enumerate(texts)
            for city in [[word for word in text.split() if word in ("paris", "london", "rome")]]
        ]
    )
    asked = task(version_2_with_negative=True)
    encoded = evaluation.encode(examples, asked, tokenizer)
    batch = PaddingCollator(tokenizer)([dict(row) for row in encoded.features])
    labels = batch.pop("labels")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        asked.loss(model(**batch), {"labels": labels}).backward()
        optimizer.step()
        optimizer.zero_grad()
    predicted = evaluation.predict(model, asked, encoded, tokenizer)
    values = score(("squad_v2",), predicted.predictions, asked.metric_inputs([], examples).references, {})
    assert predicted.loss < 0.1
    assert values["HasAns_exact"] > 90
    assert values["NoAns_exact"] > 90
