"""The pages of all tasks: what they show is what the run predicts; what is wrong with an input is said."""

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import hf_tasks
from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.decoding.mbr import mbr
from hf_tasks.decoding.utilities import UTILITIES
from hf_tasks.publish import demo
from hf_tasks.publish.demo import layout, text2text, text_classification, token_classification
from hf_tasks.publish.demo.layout import about, example
from hf_tasks.publish.views import view_of
from hf_tasks.runs.run import Run

Runs = Callable[[str], Run]
KINDS = ["label", "labels", "number", "entities", "tags", "words", "answer", "text"]
GREEDY = ("greedy", 4, 1.0, 1.0, 8, 0)
LABELS = {
    "label": ["Text", "Label", "Probabilities"],
    "labels": ["Text", "Labels", "All labels"],
    "number": ["Text", "Second text", "Score"],
    "entities": ["Text", "Entities", "List"],
    "tags": ["Text", "Tags"],
    "words": ["Text", "Words"],
    "answer": ["Question", "Context", "Answer", "Answer in context", "Best answers"],
    "text": ["Source", "Decoding options", "Strategy", "Beams", "Temperature", "top_p", "Samples", "Seed"]
    + ["Text", "Candidates"],
}


def form_of(run: Run) -> Any:
    return view_of(run.recipe.task).form(run)


def values(run: Run) -> list[str]:
    """The fields of the recorded example, as a person would fill them in."""
    recorded = example(run)
    assert recorded is not None
    return list(recorded.values())


def ask(run: Run, *given: Any) -> list[Any]:
    """What the button does: the notice, and the values of the outputs."""
    return list(layout.responder(run, form_of(run))(*given))


@pytest.mark.parametrize("kind", KINDS)
def test_every_task_has_a_page_with_its_fields(runs: Runs, kind: str) -> None:
    config = demo.page(runs(kind)).get_config_file()
    labels = [component["props"].get("label") for component in config["components"]]
    assert [label for label in labels if label and label not in ("Example", "Dataset")] == LABELS[kind]
    assert [one["api_name"] for one in config["dependencies"] if one["api_visibility"] == "public"] == ["predict"]
    assert config["analytics_enabled"] is False


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_shown_is_what_the_run_predicts(runs: Runs, kind: str) -> None:
    run = runs(kind)
    form, row = form_of(run), dict(zip(form_of(run).columns, values(run), strict=True))
    choices = GREEDY if kind == "text" else ()
    prediction = form.predict(row, *choices)
    assert prediction == run.predict([row])[0]
    notice, *shown = ask(run, *row.values(), *choices)
    assert shown == form.show(row, prediction)
    assert notice["visible"] is bool(prediction.get("cut"))


def show(run: Run, row: dict[str, Any], prediction: dict[str, Any]) -> list[Any]:
    return form_of(run).show(row, prediction)


def test_a_label_and_probabilities(runs: Runs) -> None:
    probabilities = {"no": 0.25, "yes": 0.5, "maybe": 0.25}
    prediction = {"label": "<b>", "score": 0.5, "probabilities": probabilities}
    assert show(runs("label"), {}, prediction) == ['<p class="result">&lt;b&gt;</p>', probabilities]


def test_several_labels_and_their_thresholds(runs: Runs) -> None:
    found = {"labels": ["b"], "probabilities": {"a": 0.2, "b": 0.75, "c": 0.4}}
    rows = [["b", "0.750", "0.450", "yes"], ["c", "0.400", "0.600", "no"], ["a", "0.200", "0.500", "no"]]
    assert show(runs("labels"), {}, found) == ['<p class="result">b</p>', rows]
    assert show(runs("labels"), {}, found | {"labels": []})[0] == '<p class="result">(none)</p>'


def test_a_number_lies_on_the_scale_of_the_measured_predictions(runs: Runs, tmp_path: Path) -> None:
    assert show(runs("number"), {}, {"score": 2.5}) == ['<p class="result">2.500</p>']
    run = Run(shutil.copytree(runs("number").path, tmp_path / "run"), runs("number").recipe)
    (run.path / "predictions").mkdir()
    rows = [{"score": 0.25}, {"score": 4.0}, {"score": 1.0}]
    (run.path / "predictions" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert text_classification.scale_of(run) == (0.25, 4.0)
    (html,) = show(run, {}, {"score": 2.5})
    assert '<meter min="0.250" max="4.000" value="2.500"></meter>' in html
    assert "<span>0.25</span><span>4.00</span>" in html


def test_entities_stand_in_their_text(runs: Runs) -> None:
    text = "Mary saw\nParis."
    found = [
        {"text": "Mary", "label": "PER", "start": 0, "end": 4, "score": 0.9},
        {"text": "Paris", "label": "LOC", "start": 9, "end": 14, "score": 0.55},
    ]
    marked, rows = show(runs("entities"), {"text": text}, {"entities": found})
    assert marked == [("Mary", "PER"), (" saw\n", None), ("Paris", "LOC"), (".", None)]
    assert rows == [["Mary", "PER", "0.900"], ["Paris", "LOC", "0.550"]]
    assert show(runs("entities"), {"text": text}, {"entities": []}) == [[(text, None)], []]


def test_each_token_has_its_tag_and_blanks_have_none(runs: Runs) -> None:
    row, prediction = {"text": " a  a b"}, {"tokens": ["a", "a", "b"], "tags": ["X", "Y", "X"]}
    expected = [[(" ", None), ("a", "X"), ("  ", None), ("a", "Y"), (" ", None), ("b", "X")]]
    assert show(runs("tags"), row, prediction) == expected
    assert token_classification.spans_of("aab", ["a", "ab"], ["X", "Y"]) == [(0, 1, "X"), (1, 3, "Y")]


def test_words_stand_apart(runs: Runs) -> None:
    assert show(runs("words"), {}, {"words": ["ab", "c"]}) == ["ab  c"]


def test_an_answer_stands_in_its_context(runs: Runs) -> None:
    nbest = [{"text": "Mary", "probability": 0.75}, {"text": "", "probability": 0.25}]
    row, found = {"context": "So Mary won."}, {"answer": "Mary", "start": 3, "end": 7, "score": 0.75, "nbest": nbest}
    html, marked, best = show(runs("answer"), row, found)
    assert html == '<p class="result">Mary</p><p class="note">probability 0.750</p>'
    assert marked == [("So ", None), ("Mary", "answer"), (" won.", None)]
    assert best == [["Mary", "0.750"], ["(no answer in the context)", "0.250"]]
    html, marked, _ = show(runs("answer"), row, found | {"answer": "", "start": 0, "end": 0})
    assert html.startswith('<p class="result">(no answer in the context)</p>')
    assert marked == [("So Mary won.", None)]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("greedy", ["decoding.name=greedy"]),
        ("beam", ["decoding.name=beam", "decoding.num_beams=3"]),
        ("sample", ["decoding.name=sample", "decoding.temperature=0.5", "decoding.top_p=0.9", "decoding.seed=7"]),
        ("mbr", ["decoding.name=mbr", "decoding.temperature=0.5", "decoding.top_p=0.9", "decoding.num_samples=6"])
    ],
)  # fmt: skip
def test_a_text_is_found_as_predict_would_with_set(runs: Runs, strategy: str, expected: list[str]) -> None:
    run, chosen = runs("text"), (3, 0.5, 0.9, 6, 7)
    changes = text2text.overrides(strategy, chosen)
    extra = ["decoding.seed=7", "decoding.keep_candidates=true"] if strategy == "mbr" else []
    assert changes == [*expected, *extra]
    again = hf_tasks.load_run(run.path, changes).predict(source="the good film")
    assert form_of(run).predict({"source": "the good film"}, strategy, *chosen) == again


def test_of_mbr_the_candidates_and_their_expected_utilities_are_shown(runs: Runs) -> None:
    run, source = runs("text"), {"source": "the good film"}
    prediction = form_of(run).predict(source, "mbr", 4, 1.0, 1.0, 8, 0)
    texts = prediction["candidates"]
    choice = mbr(texts, UTILITIES["chrf"])
    assert prediction["expected_utilities"] == choice.expected.tolist()
    assert (len(texts), texts[choice.index]) == (8, prediction["prediction"])
    text, table = show(run, source, prediction)
    rows = table["value"]
    assert (text, table["visible"]) == (prediction["prediction"], True)
    assert rows[0] == [f"{choice.expected.max():.2f}", texts.count(text), text]
    assert sorted(row[2] for row in rows) == sorted(set(texts))
    assert [float(row[0]) for row in rows] == sorted((float(row[0]) for row in rows), reverse=True)
    assert sum(row[1] for row in rows) == 8


def test_the_candidates_are_hidden_where_there_are_none(runs: Runs) -> None:
    text, table = show(runs("text"), {}, {"prediction": "x", "cut": False})
    assert (text, table["visible"], table["value"]) == ("x", False, None)


def test_the_page_begins_with_what_the_recipe_says(runs: Runs) -> None:
    changes = ["decoding.name=mbr", "decoding.num_samples=100", "decoding.temperature=0.7"]
    strategy, *fields = form_of(Run.load(runs("text").path, changes)).choices
    assert (strategy.value, [field.value for field in fields]) == ("mbr", [4, 0.7, 1.0, 100, 0])
    assert [field.visible for field in fields] == [False, True, True, True, True]
    assert fields[3].maximum == 100


def test_only_the_keys_of_a_strategy_are_seen() -> None:
    seen = {name: [update["visible"] for update in text2text.shown(name)] for name in text2text.STRATEGIES}
    assert seen == {
        "greedy": [False, False, False, False, False],
        "beam": [True, False, False, False, False],
        "sample": [False, True, True, False, True],
        "mbr": [False, True, True, True, True],
    }


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("label", ["  \n"], "The text is empty: fill it in first."),
        ("label", [None], "The text is empty: fill it in first."),
        ("number", ["a", ""], "The second text is empty: fill it in first."),
        ("answer", ["", "a"], "The question is empty: fill it in first."),
        ("answer", ["a", ""], "The context is empty: fill it in first."),
        ("label", ["a" * 100_001], "The text has 100,001 characters: shorten it to at most 100,000."),
    ],
)
def test_what_is_wrong_with_an_input_is_said(runs: Runs, kind: str, given: list[Any], message: str) -> None:
    notice, *shown = ask(runs(kind), *given)
    assert (notice["value"], notice["visible"]) == (f'<p role="alert">{message}</p>', True)
    assert shown == [None] * len(form_of(runs(kind)).outputs)


def test_a_choice_that_cannot_be_is_said(runs: Runs) -> None:
    notice, *_ = ask(runs("text"), "the film", "beam", 1, 1.0, 1.0, 8, 0)
    assert "--set decoding.num_beams=1" in notice["value"]


def test_tokens_that_were_cut_are_counted(runs: Runs) -> None:
    notice, label, _ = ask(runs("label"), "the film " * 40)
    assert notice["value"] == '<p role="alert">Too long: the last 18 tokens were cut and not read by the model.</p>'
    assert label == f'<p class="result">{runs("label").predict(text="the film " * 40)["label"]}</p>'


def test_the_card_tells_what_the_run_is(runs: Runs) -> None:
    said = about(runs("label"))
    assert said.title == "small"
    assert said.summary == "It is `tiny`.\n\nOn test, 9 examples: `accuracy` **0.5000**."
    assert said.intended_use == "For trying."
    assert said.limits == "Knows few words.\n\n\nIt reads 64 tokens."


def test_a_run_without_card_and_results_has_a_page(runs: Runs, tmp_path: Path) -> None:
    shutil.copytree(runs("label").path, tmp_path / "run", ignore=shutil.ignore_patterns("README.md", "results.json"))
    run = Run.load(tmp_path / "run")
    assert (about(run).summary, about(run).limits, example(run)) == ("", "", None)
    assert demo.page(run).title == "small"


def test_words_of_an_example_become_a_text(runs: Runs) -> None:
    assert example(runs("entities")) == {"text": "mary saw paris"}
    assert example(runs("words")) == {"text": "abc"}
    assert example(runs("number")) == {"text": "a good film", "text_pair": "a great movie"}


def test_without_gradio_it_says_what_to_install(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_tasks.publish.demo.find_spec", lambda name: None if name == "gradio" else find_spec(name))
    for call in (demo.page, demo.serve, lambda run: demo.write_space(run, Path("x"))):
        with pytest.raises(RunError) as e:
            call(runs("label"))
        assert str(e.value) == "the demo needs gradio; install it with: pip install 'hf_tasks[demo]'"


def test_overrides_are_checked_as_those_of_predict(runs: Runs) -> None:
    with pytest.raises(RecipeError) as e:
        form_of(runs("text")).predict({"source": "a"}, "sample", 4, 0, 1.0, 8, 0)
    assert "--set decoding.temperature=0" in str(e.value)
