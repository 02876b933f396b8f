"""A finished run says which of its files is damaged, and what else has changed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Tiny, hasten
from safetensors import safe_open
from typer.testing import CliRunner

from hf_tasks.cli import app
from hf_tasks.core.errors import RunError
from hf_tasks.core.hashing import sha256
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.runs import manifest
from hf_tasks.runs.run import Run
from hf_tasks.training import train


@pytest.fixture(scope="module")
def recipe(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder = tmp_path_factory.mktemp("trained")
    rows = [{"text": f"{('good', 'bad')[i % 2]} film {i}", "label": ("yes", "no")[i % 2]} for i in range(20)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return from_dict(
        {
            "name": "tiny",
            "task": {"name": "text-classification"},
            "data": {"train": str(folder / "rows.jsonl"), "validation_size": 0.4},
            "model": {"name_or_path": str(tiny("bert"))},
            "method": {"name": "lora", "target_modules": ["query", "value", "key"]},
            "training": {"max_steps": 2, "batch_size": 4, "output_dir": str(folder / "run")},
        }
    )


@pytest.fixture(scope="module")
def trained(recipe: Recipe) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        hasten(patch)
        return train(recipe)


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.path, tmp_path / "run"))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def problem(run: Path) -> str:
    with pytest.raises(RunError) as e:
        Run.load(run)
    return str(e.value)


def test_every_file_but_the_card_is_listed(run: Path) -> None:
    listed = json.loads((run / "manifest.json").read_text())["files"]
    there = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    free = {"README.md", "manifest.json", "status.json", *(name for name in there if name.startswith("pictures/"))}
    assert listed.keys() == there - free
    assert {"adapter_model.safetensors", "recipe.yaml", "results.json", "tokenizer.json"} <= listed.keys()
    assert listed["recipe.yaml"] == {
        "size": (run / "recipe.yaml").stat().st_size,
        "sha256": sha256(run / "recipe.yaml"),
    }
    assert manifest.check(run) == len(listed)


def remedy(run: Path) -> str:
    return f"restore the original, or accept the files as they are with: hf-tasks verify {run} --renew"


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "adapter_model.safetensors": (flip, "is not as it was written"),
    "recipe.yaml": (lambda path: path.write_text(path.read_text().replace("yes", "sey")), "is not as it was written"),
    "predictions/validation.jsonl": (Path.unlink, "is missing"),
    "adapter_config.json": (lambda path: path.write_text("{}"), "has 2 bytes instead of "),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_named(run: Path, name: str) -> None:
    damage, text = DAMAGES[name]
    damage(run / name)
    found = problem(run)
    assert found.startswith(f"{run}: {name} {text}")
    assert found.endswith(f"; {remedy(run)}")


def test_a_file_that_would_be_read_with_the_model_is_named(run: Path) -> None:
    (run / "notes.txt").write_text("mine")
    (run / "report.html").write_text("mine")
    Run.load(run)
    (run / "model.safetensors").write_bytes(b"")
    assert problem(run) == (
        f"{run}: model.safetensors does not belong to it, and would be loaded with the model; {remedy(run)}"
    )


def test_a_damaged_manifest_is_named(run: Path) -> None:
    (run / "notes.txt").write_text("mine")
    before = (run / "manifest.json").read_bytes()
    flip(run / "manifest.json")
    assert problem(run) == f"{run}: its manifest.json is damaged; {remedy(run)}"
    manifest.write(run)
    assert (run / "manifest.json").read_bytes() == before


def test_a_manifest_never_leads_out_of_the_run(run: Path) -> None:
    outside = run.parent / "secret"
    outside.write_text("x")
    for name in ("../secret", str(outside)):
        manifest.manifest.write(run, {name: {"size": 1, "sha256": sha256(outside)}})
        assert problem(run).startswith(f"{run}: {name} is not in it; ")


def test_the_card_may_be_edited_and_written_again(run: Path) -> None:
    with (run / "README.md").open("a") as card:
        card.write("\nWritten by hand.\n")
    result = CliRunner().invoke(app, ["card", str(run), "--write"])
    assert result.exit_code == 0, result.output
    assert "Written by hand." in (run / "README.md").read_text()
    Run.load(run)


def test_the_command_verifies_and_renews(run: Path, recipe: Recipe) -> None:
    command = CliRunner()
    result = command.invoke(app, ["verify", str(run)])
    count = len(json.loads((run / "manifest.json").read_text())["files"])
    scores = f"{run}: 6 scores are what the counts of each example give; not computed: loss, intervals\n"
    assert (result.exit_code, result.output) == (0, f"{run}: all {count} files are as they were written\n{scores}")
    text = (run / "recipe.yaml").read_text()
    (run / "recipe.yaml").write_text(text.replace("name: tiny", "name: other"))
    result = command.invoke(app, ["verify", str(run)])
    assert isinstance(result.exception, RunError)
    assert str(result.exception).startswith(f"{run}: recipe.yaml has ")
    result = command.invoke(app, ["verify", str(run), "--renew"])
    said = "it counts as trained elsewhere: the snippets of its card run only with --run-snippets"  # a copy
    accepted = f"{run}: all {count} files are as they were accepted\n{said}\n{scores}"
    assert (result.exit_code, result.output) == (0, accepted)
    assert Run.load(run).recipe.name == "other"
    (run / "manifest.json").unlink()
    result = command.invoke(app, ["verify", str(run)])
    assert str(result.exception) == f"{run}: has no manifest.json; accept the files as they are with --renew"
    (run / "results.json").unlink()
    result = command.invoke(app, ["verify", str(run), "--renew"])
    assert str(result.exception) == f"{run}: there is no finished run; give the directory that `train` wrote"


def test_changed_data_are_said(
    run: Path, recipe: Recipe, trained: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(str(recipe.data.train))
    before = file.read_text()
    hasten(monkeypatch)
    assert train(recipe).path == trained.path
    about = recipe.model_copy(update={"card": recipe.card.model_copy(update={"language": ("de",)})})
    capsys.readouterr()
    train(about)
    assert capsys.readouterr().err.splitlines()[0] == (
        f'{trained.path}: card.language was not given and is now ["de"]; the run keeps the former value'
    )
    try:
        file.write_text(before + '{"text": "one more", "label": "yes"}\n')
        with pytest.raises(RunError) as e:
            train(recipe)
        assert str(e.value) == (
            f"{trained.path}: contains a finished run, and the data have changed ({file}); choose another "
            "--output-dir, or add --overwrite"
        )
        result = CliRunner().invoke(app, ["verify", str(run)])
        assert result.exit_code == 0
        assert f"warning: the train data have changed since the training ({file})" in result.output
        result = CliRunner().invoke(app, ["evaluate", str(run), "--split", "validation"])
        assert f"warning: the validation data have changed since the training ({file}); results.json" in result.output
    finally:
        file.write_text(before)


def test_equal_trainings_give_equal_files(trained: Run, recipe: Recipe, tmp_path: Path) -> None:
    """The metadata in the header of the adapter, and PEFT's sets, come in one order."""
    with pytest.MonkeyPatch.context() as patch:
        hasten(patch)
        training = recipe.training.model_copy(update={"output_dir": str(tmp_path / "again")})
        again = train(recipe.model_copy(update={"training": training}))
    names = ("adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "predictions/validation.jsonl")
    assert {name: sha256(again.path / name) for name in names} == {name: sha256(trained.path / name) for name in names}
    header = (trained.path / "adapter_model.safetensors").read_bytes()
    length = int.from_bytes(header[:8], "little")
    assert list(json.loads(header[8 : 8 + length])["__metadata__"]) == ["base", "base_sha256", "format"]
    with safe_open(trained.path / "adapter_model.safetensors", framework="pt") as file:
        assert file.metadata()["base"] == recipe.model.name_or_path
    config = json.loads((trained.path / "adapter_config.json").read_text())
    assert config["target_modules"] == ["key", "query", "value"]
