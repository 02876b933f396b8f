"""Whole reports: what is in them, what may be missing, and that nothing in them runs or loads."""

import json
from pathlib import Path

import pytest
from reported import SENTIMENT, Make, StubRun, harmless, said, titles
from typer.testing import CliRunner

import hf_tasks
from hf_tasks import cli
from hf_tasks.core.errors import RunError
from hf_tasks.publish.report import report

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(1)> $x_2$ javascript:alert(1) --> ]]>'


def test_a_report(sentiment: StubRun) -> None:
    path = report(sentiment, columns=["genre"])
    assert path == sentiment.path / "report.html"
    html = path.read_text(encoding="utf-8")
    page = harmless(html)
    assert titles(html) == [
        "Results", "Classes", "Probabilities", "Worst errors", "Suspected label errors", "Slices of test", "Training",
        "Data", "Resources",
    ]  # fmt: skip
    assert "<h1>tried</h1>" in html
    assert '<span class="value">0.6667</span>' in html
    assert "accuracy on test (6 examples)<br>95 % interval 0.2500 to 0.9500" in html
    for said_of_it in ("org/model", "full", "1 min 15 s", "25 of 100 (25.00%)", "1.5 Wh at 20 W, assumed", "A chip"):
        assert said_of_it in page.text
    assert '<tr><td>film</td><td class="number">3</td><td class="number">0.6667</td>' in html
    assert (
        '<tr><td>(none)</td><td class="number">1</td><td class="number">1.0000</td><td class="number">–</td></tr>'
        in html
    )
    assert len(html) < 200_000
    assert str(sentiment.path.parent) not in html  # no folder of this machine


def test_texts_never_become_markup(make: Make) -> None:
    labels = [EVIL, "_b"]
    task = SENTIMENT | {"labels": labels}
    rows = [{"text": f"{EVIL} {i}", "label": labels[i % 2], EVIL: EVIL} for i in range(6)]
    predictions = [
        {
            "label": labels[i // 2 % 2],
            "score": 0.9,
            "probabilities": {labels[i // 2 % 2]: 0.9, labels[1 - i // 2 % 2]: 0.1},
        }
        for i in range(6)
    ]
    run = make(task, rows, predictions, {"accuracy": 0.5, f"{EVIL}": 0.5, "per_class": {EVIL: {"f1": 1.0}}})
    html = report(run, columns=[EVIL]).read_text(encoding="utf-8")
    harmless(html)
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_the_run_alone_where_the_data_are_gone(sentiment: StubRun) -> None:
    (sentiment.path.parent / "test.jsonl").unlink()
    html = report(sentiment).read_text(encoding="utf-8")
    assert titles(html) == ["Missing data", "Results", "Training", "Data", "Resources"]
    assert "No examples of test are shown: " in html
    assert '<tr><td>accuracy</td><td class="number">0.6667</td>' in html
    with pytest.raises(RunError) as e:
        report(sentiment, columns=["genre"])
    assert str(e.value).startswith("--slice genre: there are no examples to show; No examples of test are shown: ")


def test_the_run_alone_where_the_data_have_changed(sentiment: StubRun) -> None:
    file = sentiment.path.parent / "test.jsonl"
    file.write_text(file.read_text(encoding="utf-8").replace("good", "bad"), encoding="utf-8")
    html = report(sentiment).read_text(encoding="utf-8")
    assert "No examples of test are shown: the data files of test have changed since the run was measured" in html
    assert "a bad film" not in html


def test_without_predictions_and_log(sentiment: StubRun) -> None:
    (sentiment.path / "predictions" / "test.jsonl").unlink()
    (sentiment.path / "training_log.jsonl").unlink()
    html = report(sentiment).read_text(encoding="utf-8")
    assert "test.jsonl: the predictions are missing from the run" in html
    assert "The training log is missing from the run." in html


def test_tables_of_results_where_nothing_else_is_known(sentiment: StubRun) -> None:
    results = json.loads((sentiment.path / "results.json").read_text(encoding="utf-8"))
    results["test"]["per_class"] = {"negative": {"f1": 0.25, "support": 2}}
    results["layer_weights"] = [0.25, 0.75]
    (sentiment.path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (sentiment.path.parent / "test.jsonl").unlink()
    html = report(sentiment).read_text(encoding="utf-8")
    assert "<h3>per class on test</h3>" in html
    assert '<tr><td>negative</td><td class="number">0.2500</td><td class="number">2</td></tr>' in html
    assert "Layers" in titles(html)


def test_many_examples_keep_the_file_small(make: Make) -> None:
    rows = [{"text": "word " * 100, "label": "negative"} for _ in range(400)]
    run = make(SENTIMENT, rows, said(*[0.9] * 400), {"accuracy": 0.0})
    html = report(run).read_text(encoding="utf-8")
    assert "and 380 more" in html
    assert len(html) < 150_000


def test_the_command(sentiment: StubRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("hf_tasks.load_run", lambda path: sentiment)
    output = tmp_path / "a.html"
    result = CliRunner().invoke(cli.app, ["report", "run", "-o", str(output), "--slice", "genre", "--slice", "label"])
    assert (result.exit_code, result.output) == (0, f"{output}\n")
    html = output.read_text(encoding="utf-8")
    assert "<h3>By genre</h3>" in html
    assert "<h3>By label</h3>" in html


def test_a_folder_that_is_not_there(sentiment: StubRun, tmp_path: Path) -> None:
    with pytest.raises(RunError) as e:
        report(sentiment, tmp_path / "none" / "a.html")
    assert str(e.value) == f"{tmp_path}/none: there is no such folder; create it first"
    with pytest.raises(RunError) as e:
        report(sentiment, tmp_path)
    assert str(e.value) == f"{tmp_path}: is a folder; name a file with -o, for example {tmp_path}/report.html"
    longest = tmp_path / f"{'a' * 250}.html"  # there is no room for the name of what is not whole yet
    with pytest.raises(RunError) as e:
        report(sentiment, longest)
    assert str(e.value) == f"{longest}: cannot be written: File name too long; name another file with -o"


def test_damaged_predictions_are_named(sentiment: StubRun) -> None:
    file = sentiment.path / "predictions" / "test.jsonl"
    file.write_text('{"label')
    assert f"No examples of test are shown: {file}:1: cannot be read: Unterminated" in report(sentiment).read_text(
        encoding="utf-8"
    )


def test_nothing_is_written_into_the_cache_of_the_hub(
    sentiment: StubRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hf_tasks, "load_run", lambda path: sentiment)
    before = sorted(sentiment.path.rglob("*"))
    result = CliRunner().invoke(cli.app, ["report", "org/model@v1"])
    assert (result.exit_code, result.output) == (0, "model-report.html\n")
    result = CliRunner().invoke(cli.app, ["card", "org/model@v1", "--write"])
    assert str(result.exception) == (
        "--write: org/model@v1 is on the Hub; fetch it first: hf download org/model --local-dir FOLDER"
    )
    assert sorted(sentiment.path.rglob("*")) == before


def test_the_same_run_gives_the_same_report(sentiment: StubRun) -> None:
    first = report(sentiment).read_bytes()
    assert report(sentiment).read_bytes() == first
