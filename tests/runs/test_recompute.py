"""Scores computed again from the counts of each example: what was edited is named; counts of strangers are refused."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from hf_tasks import cli
from hf_tasks.core.errors import RunError
from hf_tasks.core.hashing import sha256
from hf_tasks.metrics import METRICS
from hf_tasks.recipe import from_dict, to_yaml
from hf_tasks.runs import counts, manifest, recompute
from hf_tasks.runs.run import Run

PREDICTED, RIGHT = ["a", "b", "b", "a", "a"], ["a", "b", "a", "a", "b"]
RECIPE = {
    "name": "x",
    "task": {
        "name": "text-classification", "labels": ["a", "b"], "problem_type": "single_label_classification",
        "metrics": ["accuracy", "f1", "per_class"],
    },
    "data": {"train": "train.csv"},
    "model": {"name_or_path": "org/base"},
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with results, predictions and counts, and no model."""
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "test.jsonl").write_text("".join(f'{{"label": "{one}"}}\n' for one in PREDICTED))
    forms = {name: METRICS[name].sums(PREDICTED, RIGHT) for name in ("accuracy", "f1")}
    counts.write(tmp_path / "counts" / "test.npz", {name: form.table() for name, form in forms.items() if form})
    values: dict[str, Any] = {"n": 5, "loss": 0.5}
    for name in RECIPE["task"]["metrics"]:  # type: ignore[index]
        values |= METRICS[name](PREDICTED, RIGHT)
    hashes = {name: sha256(tmp_path / name) for name in counts.files_of("test")}
    write(tmp_path, {"test": values, "sha256": hashes})
    for name in ("environment.json", "train_stats.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "recipe.yaml").write_text(to_yaml(from_dict(RECIPE)))
    manifest.write(tmp_path)
    return Run(tmp_path, from_dict(RECIPE))


def write(path: Path, results: dict[str, Any]) -> None:
    (path / "results.json").write_text(json.dumps(results))


def edited(run: Run, split: str = "test", **values: Any) -> Run:
    write(run.path, run.results | {split: run.results[split] | values})
    return Run(run.path, run.recipe)


def test_true_scores(run: Run) -> None:
    assert recompute.problems(run) == []
    assert recompute.line(run) == (
        f"{run.path}: 5 scores are what the counts of each example give; not computed: loss, per_class, intervals"
    )
    assert METRICS["accuracy"].restored(counts.read(run.path / "counts" / "test.npz")["accuracy"]).total() == {
        "accuracy": 0.6
    }


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"accuracy": 0.8}, ["test.accuracy is 0.8, but the counts of each example give 0.6"]),
        ({"n": 50, "f1_micro": None}, ["test.n is 50, but the counts of each example give 5",
                                       "test.f1_micro is None, but the counts of each example give 0.6"]),
        ({"accuracy": 0.6000001}, []), ({"loss": 0.1}, []),
    ],
    ids=str,
)  # fmt: skip
def test_an_edited_score_is_named(run: Run, values: dict[str, Any], found: list[str]) -> None:
    assert recompute.problems(edited(run, **values)) == [f"results.json: {one}" for one in found]


def test_other_predictions_and_counts_are_named(run: Run) -> None:
    (run.path / "predictions" / "test.jsonl").write_text('{"label": "b"}\n')
    other = {name: table[:3] for name, table in counts.read(run.path / "counts" / "test.npz").items()}
    counts.write(run.path / "counts" / "test.npz", other)
    assert recompute.problems(run)[:3] == [
        "predictions/test.jsonl is not the file whose SHA-256 results.json states",
        "counts/test.npz is not the file whose SHA-256 results.json states",
        "results.json: test.n is 5, but the counts of each example give 3",
    ]
    (run.path / "predictions" / "test.jsonl").unlink()  # as of a run of the Hub
    assert recompute.problems(run)[0].startswith("counts/test.npz")
    edited(run, "sha256", **{"counts/test.npz": "0"})
    assert recompute.problems(Run(run.path, run.recipe))[0].startswith("counts/test.npz")


def test_a_run_of_an_earlier_version(run: Run) -> None:
    write(run.path, {"test": run.results["test"]})
    before = Run(run.path, run.recipe)
    assert recompute.problems(before) == []
    assert recompute.line(before) == (
        f"{run.path}: its scores were not computed again: it has no counts of each example"
    )


def test_the_command(run: Run) -> None:
    """An edited score is named beside the file; an accepted file keeps the error."""

    def verify(*options: str) -> tuple[int, str, Any]:
        done = CliRunner().invoke(cli.app, ["verify", str(run.path), *options])
        return done.exit_code, done.output, done.exception

    assert verify()[:2] == (0, (
        f"{run.path}: all 7 files are as they were written\n{recompute.line(run)}\n"
        "warning: the data were not compared: train.csv: there is no such file; give the path of a file\n"
    ))  # fmt: skip
    edited(run, accuracy=0.9)
    named = f"{run.path}: results.json: test.accuracy is 0.9, but the counts of each example give 0.6"
    assert verify()[2].problems[1:] == (named,)
    assert verify("--renew")[2].problems == (named,)


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("code has run",))


def test_counts_of_a_stranger(run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    file = run.path / "counts" / "test.npz"

    def said() -> str:
        with pytest.raises(RunError) as e:
            counts.read(file)
        assert recompute.problems(run)[-1].startswith(str(file))
        return str(e.value).removeprefix(f"{file}: cannot be read: ").partition(";")[0]

    np.savez(file, accuracy=np.array([[Evil()]], object), f1=np.zeros((1, 6)))
    assert said() == "Object arrays cannot be loaded when allow_pickle=False"
    assert "code has run" not in capsys.readouterr().out
    np.savez(file, accuracy=np.zeros(3))
    assert said() == "accuracy is not a table of numbers"
    file.write_bytes(b"PK")
    assert said() == "File is not a zip file"
    with zipfile.ZipFile(file, "w") as archive:
        header = "{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000, 100000), }"
        archive.writestr("accuracy.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    assert said()  # it claims eight petabytes and holds none
    np.savez(file, accuracy=np.zeros((5, 7)), f1=np.zeros((5, 5)))
    assert recompute.problems(run)[-1].startswith(f"{file}: ")
    monkeypatch.setattr(counts, "LARGEST", 1000)
    np.savez_compressed(file, accuracy=np.zeros((1000, 2)))
    assert said() == "unpacks to more than 1,000 bytes"
    file.unlink()
    assert said() == "there is no such file"
