"""What must never happen: code of others runs, a token is written, a name leads out of the run's folder."""

import json
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Tiny, hasten

from hf_tasks import metrics
from hf_tasks.core.errors import DataError, RecipeError, RunError
from hf_tasks.core.manifest import _digest
from hf_tasks.data import Data, read_split
from hf_tasks.recipe import Recipe, from_dict, load
from hf_tasks.tasks import TextClassification
from hf_tasks.training import checkpoints, train
from hf_tasks.training.safe_trainer import SafeTrainer

CODE = "from pathlib import Path\nPath({!r}).write_text('code has run')\n"
Make = Callable[..., Recipe]


class Evil:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return exec, (CODE.format(str(self.path)),)


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """The file that code of others would write."""
    return tmp_path / "proof"


@pytest.fixture
def make(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    hasten(monkeypatch)
    rows = [{"text": f"{('good', 'bad')[i % 2]} film", "label": ("yes", "no")[i % 2]} for i in range(16)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def build(model: Path | None = None) -> Recipe:
        return from_dict(
            {
                "name": "tiny",
                "task": {"name": "text-classification"},
                "data": {"train": str(tmp_path / "rows.jsonl"), "validation_size": 0},
                "model": {"name_or_path": str(model or tiny("bert"))},
                "training": {"num_train_epochs": 2, "batch_size": 8, "output_dir": str(tmp_path / "run")},
            }
        )

    return build


def copied(tiny: Tiny, to: Path) -> Path:
    to.mkdir()
    for file in tiny("bert").iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_with_code_in_it_runs_nothing(
    make: Make, tmp_path: Path, proof: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one whose manifest was made to fit."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoints, "rotate", stop)
        train(make())
    checkpoint = tmp_path / "run" / "checkpoints" / "checkpoint-2"
    (checkpoint / name).write_bytes(pickle.dumps(Evil(proof), protocol=2))
    facts = {key: checkpoints.facts(checkpoint)[key] for key in ("best", "done", "counters")}
    checkpoints.finalize(checkpoint, facts)
    with pytest.raises(RunError) as e:
        train(make())
    assert str(e.value) == f"{checkpoint}: not a valid checkpoint (unsafe pickle); delete it"
    assert not proof.exists()


def stop(*args: Any) -> None:
    raise KeyboardInterrupt


def test_weights_that_are_a_pickle_are_refused(make: Make, tiny: Tiny, tmp_path: Path, proof: Path) -> None:
    model = copied(tiny, tmp_path / "model")
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(proof), protocol=2))
    with pytest.raises(RunError, match="cannot be loaded: .*safetensors"):
        train(make(model))
    assert not proof.exists()


def test_no_pickle_of_transformers_stays_in_a_checkpoint(make: Make, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoints, "rotate", stop)
        train(make())
    left = {path.name for path in (tmp_path / "run" / "checkpoints" / "checkpoint-2").iterdir()}
    assert "training_args.bin" not in left
    assert "optimizer.pt" in left


def test_the_code_of_a_model_repository_does_not_run(make: Make, tiny: Tiny, tmp_path: Path, proof: Path) -> None:
    model = copied(tiny, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForSequenceClassification": "evil.Model"}
    (model / "config.json").write_text(json.dumps(config))
    (model / "evil.py").write_text(CODE.format(str(proof)))
    train(make(model))
    assert not proof.exists()
    assert "evil" not in sys.modules


@pytest.mark.parametrize("section", ["model", "training", "data", "task"])
def test_no_recipe_can_ask_for_remote_code(make: Make, section: str) -> None:
    values = json.loads(make().model_dump_json(exclude_unset=True))
    values[section]["trust_remote_code"] = True
    with pytest.raises(RecipeError, match=rf"^recipe: {section}.trust_remote_code: unknown key"):
        from_dict(values)


def test_the_code_of_a_metric_runs_only_where_the_environment_allows_it(
    tmp_path: Path, proof: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TASKS_METRIC_CODE", raising=False)
    script = tmp_path / "metric.py"
    script.write_text(CODE.format(str(proof)))
    with pytest.raises(RecipeError) as e:
        metrics.find(str(script))
    assert str(e.value).endswith(
        "if it is a metric of evaluate, set HF_TASKS_METRIC_CODE=1 in the environment to allow the Python code of its "
        "author to run here"
    )
    assert not proof.exists()


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system ['true']", "!!python/name:os.system ''"])
def test_yaml_makes_no_objects(tmp_path: Path, tag: str) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"name: {tag}\n", encoding="utf-8")
    with pytest.raises(RecipeError) as e:
        load(recipe)
    assert "could not determine a constructor for the tag" in str(e.value)


def test_no_token_is_written_anywhere(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    token = "hf_" + "aB3" * 12
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoints, "rotate", stop)
        train(make())
    train(make())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if token.encode() in path.read_bytes()] == []
    said = capfd.readouterr()
    assert token not in said.out + said.err


@pytest.mark.parametrize("name", ["../elsewhere", "/etc/run", "a/b", "..", ".hidden"])
def test_the_name_of_a_recipe_stays_below_the_folder_of_runs(make: Make, name: str) -> None:
    values = json.loads(make().model_dump_json(exclude_unset=True))
    values["name"] = name
    with pytest.raises(RecipeError, match=r"^recipe: name: "):
        from_dict(values)


def test_a_manifest_does_not_lead_out_of_its_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-1"
    folder.mkdir()
    (folder / "a").write_bytes(b"a")
    checkpoints.finalize(folder, {"best": None})
    manifest = checkpoints.facts(folder)
    (tmp_path / "secret").write_bytes(b"a")
    manifest["files"]["../secret"] = manifest["files"]["a"]
    del manifest["sha256"]
    manifest["sha256"] = _digest(manifest)
    (folder / checkpoints.MANIFEST).write_text(json.dumps(manifest))
    assert checkpoints.problem(folder) == "../secret is not in it"


def test_trainers_have_no_way_to_the_hub(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise AssertionError("a training talked to the Hub")

    monkeypatch.setattr(SafeTrainer, "push_to_hub", refuse)
    monkeypatch.setattr(SafeTrainer, "init_hf_repo", refuse)
    assert train(make()).results["training"]["steps"] == 4


def test_the_script_of_a_dataset_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "rows.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    section, task = Data(path=str(tmp_path / "rows"), train="train"), TextClassification(name="text-classification")
    with pytest.raises(DataError, match="Dataset scripts are no longer supported, but found rows"):
        read_split(section, "train", task, seed=0)
    assert not (tmp_path / "ran").exists()


def test_every_row_of_the_threat_model_names_a_test() -> None:
    root = Path(__file__).parents[2]
    lines = (root / "docs" / "security.md").read_text(encoding="utf-8").splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("| ")]
    rows = [row for row in rows if row[-1].strip() not in ("test", "---")]
    named = {row[0] + row[1]: re.findall("`(tests/[^`]+)`", row[-1]) for row in rows}
    assert len(named) > 40
    assert [row for row, tests in named.items() if not tests] == []
    assert [test for tests in named.values() for test in tests if not (root / test).exists()] == []
