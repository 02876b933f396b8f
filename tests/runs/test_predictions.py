"""Predictions and scores as tables."""

import json

import pandas

from hf_tasks.runs.predictions import Predictions, joined, text_table
from hf_tasks.runs.scores import Scores, main_value, to_frame, to_html

ROWS = [
    {"label": "yes", "score": 0.75, "probabilities": {"yes": 0.75, "no": 0.25}},
    {"label": "no", "score": 0.5, "probabilities": {"yes": 0.5, "no": 0.5}},
]
INPUTS = [{"text": "<b>a", "label": "no", "id": 1}, {"text": "b", "label": "no", "id": 2}]


def test_predictions_are_a_list() -> None:
    predictions = Predictions(ROWS, INPUTS)
    assert predictions == ROWS
    assert json.loads(json.dumps(predictions)) == ROWS
    assert repr(predictions) == "<2 predictions: {'label': 'yes', 'score': 0.75}, {'label': 'no', 'score': 0.5}>"


def test_a_frame_holds_inputs_and_predictions() -> None:
    frame = Predictions(ROWS, INPUTS, pandas.Index([4, 9])).to_frame()
    names = ["text", "label_given", "id", "label", "score", "probabilities.yes", "probabilities.no"]
    assert list(frame.columns) == names
    assert frame.loc[9].tolist() == ["b", "no", 2, "no", 0.5, 0.5, 0.5]


def test_the_highest_probabilities_of_a_frame_are_one_column() -> None:
    rows = [{"label": "yes", "probabilities": {"yes": 0.75}}, {"label": "no", "probabilities": {"no": 0.5}}]
    frame = Predictions(rows, [{"text": "a"}, {"text": "b"}]).to_frame()
    assert list(frame.columns) == ["text", "label", "probabilities"]
    assert frame["probabilities"].tolist() == [{"yes": 0.75}, {"no": 0.5}]


def test_a_notebook_shows_the_first_rows_escaped() -> None:
    html = Predictions(ROWS * 6, INPUTS * 6)._repr_html_()
    assert html.count("<tr>") == 10
    assert "&lt;b&gt;a" in html and "<b>a" not in html
    assert html.endswith("<p>12 predictions, the first 10 are shown</p>")


SCORES = Scores(n=4, accuracy=0.75, intervals={"accuracy": [0.5, 1.0]}, per_label={"yes": {"f1": 1.0}})


def test_scores_are_a_dict_and_a_frame() -> None:
    assert SCORES["accuracy"] == 0.75
    assert repr(SCORES).splitlines()[1].split() == ["accuracy", "0.7500", "[0.5000,", "1.0000]"]
    assert SCORES.to_frame().values.tolist()[1] == ["accuracy", 0.75, 0.5, 1.0]
    assert list(to_frame({"test": SCORES}).columns) == ["split", "metric", "value", "low", "high"]


def test_scores_in_a_notebook() -> None:
    html = to_html("a <run>", {"test": SCORES})
    assert html.startswith("<p><b>a &lt;run&gt;</b></p>")
    assert "<td>accuracy</td>\n      <td>0.7500</td>\n      <td>0.5000</td>" in html


def test_the_main_value() -> None:
    assert main_value(("f1", "accuracy"), SCORES) == "accuracy 0.75"
    assert main_value((), {}) == "no metric"


def test_a_table_for_the_terminal_has_cut_cells() -> None:
    rows = [{"id": i, "text": "word " * 30, "label": "yes", "score": 0.5, "nbest": [1, 2]} for i in range(60)]
    first, second, *_, last = text_table(rows, 60).splitlines()
    assert first.split() == ["id", "text", "label", "score"]
    assert second.startswith("0   word word") and second.endswith("...  yes    0.5000") and len(second) <= 60
    assert last == "... and 10 more; -o FILE writes all of them"


def test_echoed_columns_are_written_once() -> None:
    prediction = {"tokens": ["a"], "tags": ["O"]}
    assert joined({"tokens": ["a"], "tags": ["B"]}, prediction) == {"tags_given": ["B"], **prediction}
