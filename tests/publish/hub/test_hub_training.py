"""A recipe's `hub` section: what is known before training, and what a failed push leaves; the command."""

import json
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from conftest import Tiny, hasten
from hub_server import Entry, Hub
from huggingface_hub import hf_hub_download
from safetensors.torch import load_file, save

import hf_tasks
from hf_tasks import cli
from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.models.section import Model
from hf_tasks.recipe import Recipe, from_dict, to_yaml
from hf_tasks.runs.run import Run
from hf_tasks.training.safe_trainer import SafeTrainer

# huggingface_hub sends files by httpx's old keyword `data`
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def recipe(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A training of one step that is pushed to org/model; neither the run nor its card is checked in processes."""
    hasten(monkeypatch)
    monkeypatch.setattr("hf_tasks.publish.hub.push.check_card", lambda *args: None)
    rows = [{"text": f"a {('good', 'bad')[i % 2]} film", "label": ("good", "bad")[i % 2]} for i in range(8)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sections = {
        "name": "x",
        "task": {"name": "text-classification"},
        "data": {"train": str(tmp_path / "rows.jsonl"), "validation_size": 0},
        "model": {"name_or_path": str(tiny("bert"))},
        "training": {"max_steps": 1, "output_dir": str(tmp_path / "run")},
        "hub": {"repo_id": "org/model"},
    }
    return from_dict(sections)


def test_what_would_fail_at_the_end_fails_at_the_beginning(
    hub: Hub, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("org/model", {"config.json": b"{}"}, private=True)
    taken = (
        "org/model: exists and contains other files; choose another name, or add update=True "
        "(hub.update: true in the recipe)"
    )
    for command in (hf_tasks.train, hf_tasks.check):
        with pytest.raises(RunError) as e:
            command(recipe)
        assert str(e.value) == taken
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(RunError, match="^org/model: you are not logged in to the Hub; run: hf auth login"):
        hf_tasks.train(recipe)
    assert not (tmp_path / "run").exists()
    assert hub.count("commit") == 0


def test_a_failed_push_keeps_the_run(
    hub: Hub, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.fail("commit", status=403)
    with pytest.raises(RunError) as e:
        hf_tasks.train(recipe)
    path = tmp_path / "run"
    assert str(e.value) == (
        "org/model: you have no permission: injected; use a token with write permission, or another name; the run is "
        f"complete, in {path}; to push it, run: hf-tasks push {path} org/model"
    )
    assert Run.load(path).predict(text="a good film")["label"] in ("good", "bad")

    capfd.readouterr()
    monkeypatch.setattr(sys, "argv", ["hf-tasks", "push", str(path), "org/model", "--tag", "v1"])
    with pytest.raises(SystemExit) as code:
        cli.main()
    assert code.value.code == 0
    files = hub.repositories["org/model"].files("v1")
    total = sum(len(entry.content) for name, entry in files.items() if name != ".gitattributes")
    out = capfd.readouterr().out
    assert out == f"{total:>14,}  bytes in {len(files) - 1} files\n{hub.url}/org/model/tree/v1\n"
    assert str(tmp_path) not in to_yaml(hf_tasks.load_run("org/model@v1").recipe)


def test_train_again_after_a_failed_push_pushes(
    hub: Hub, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """By the command, as users do; another name for the repository needs no other training."""
    (tmp_path / "recipe.yaml").write_text(to_yaml(recipe))

    def train(*options: str) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["hf-tasks", "train", str(tmp_path / "recipe.yaml"), *options])
        with pytest.raises(SystemExit) as code:
            cli.main()
        return code.value.code, capfd.readouterr().err.splitlines()

    hub.fail("commit", status=403)
    code, said = train()
    assert code == 2 and said[-1].startswith("error: org/model: you have no permission: injected; use a token with")
    weights = (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns
    for options, name in ((), "org/model"), (("--set", "hub.repo_id=org/other"), "org/other"):
        assert train(*options) == (0, [
            f"{tmp_path}/run: this run is finished, it will only be pushed; --overwrite trains it again",
            f"pushed to {hub.url}/{name}",
        ])  # fmt: skip
        assert "model.safetensors" in hub.repositories[name].files()
        requests = len(hub.requests)
        assert train(*options) == (0, [
            f"{tmp_path}/run: this run is finished, there is nothing to do; --overwrite trains it again"
        ])  # fmt: skip
        assert len(hub.requests) == requests
    assert (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns == weights
    assert len(hub.repositories["org/model"].commits) == 2


def test_a_card_that_cannot_be_made_is_a_message(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def draw(*_: object) -> None:
        raise RuntimeError("no font\nmore")

    with monkeypatch.context() as broken:
        broken.setattr(sys.modules["hf_tasks.publish.card.write"], "draw_card", draw)
        run = hf_tasks.train(recipe.model_copy(update={"hub": None}))
    path = tmp_path / "run"
    assert (
        f"warning: the card was not written: no font; the run is complete; correct that, then run: hf-tasks card "
        f"{path} --write"
    ) in capfd.readouterr().err.splitlines()
    assert run.results["training"]["steps"] == 1 and run.results["base"]["from"] == "folder"
    assert run.predict(text="a good film")["label"] in ("good", "bad")
    assert not (path / "README.md").exists()
    with pytest.raises(RunError) as e:
        hf_tasks.push(path, "org/model", dry_run=True)
    assert str(e.value) == f"{path}: there is no card; write it with: hf-tasks card {path} --write"
    monkeypatch.setattr(sys, "argv", ["hf-tasks", "card", str(path), "--write"])
    with pytest.raises(SystemExit) as code:
        cli.main()
    assert code.value.code == 0 and "# x" in (path / "README.md").read_text()


def test_a_base_model_with_a_broken_card_trains(recipe: Recipe, tmp_path: Path, tiny: Tiny) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny("bert"), base)
    (base / "README.md").write_bytes(b"---\nlicense: mit\nlanguage: [\n---\n# Un mod\xe8le\n")
    run = hf_tasks.train(recipe.model_copy(update={"hub": None, "model": Model(name_or_path=str(base))}))
    card = (run.path / "README.md").read_text()
    assert "Not stated: the card of the base model cannot be read, and the recipe names none." in card


def test_a_resumed_training_keeps_the_commit_of_its_base(
    hub: Hub, tiny: Tiny, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The branch of the base model moves to other weights while a training of it is interrupted."""
    files = {path.name: path.read_bytes() for path in tiny("bert").iterdir()}
    base = hub.add("org/base", files)
    begun = base.branches["main"]
    values = json.loads(recipe.model_dump_json(exclude_unset=True)) | {
        "model": {"name_or_path": "org/base"},
        "hub": None,
    }

    def training(name: str) -> Recipe:
        steps = {"max_steps": 4, "save_strategy": "steps", "save_steps": 2, "output_dir": str(tmp_path / name)}
        return from_dict(values | {"training": steps | {"per_device_train_batch_size": 2}})

    undisturbed = hf_tasks.train(training("undisturbed"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        step, calls = SafeTrainer.training_step, iter(range(1, 9))
        patch.setattr(SafeTrainer, "training_step", lambda *args: killed() if next(calls) == 4 else step(*args))
        hf_tasks.train(training("run"))
    weights = load_file(tiny("bert") / "model.safetensors")
    other = save({name: tensor + 1 for name, tensor in weights.items()}, {"format": "pt"})
    base.commit("main", "other weights", base.files() | {"model.safetensors": Entry(other, True)})
    hf_hub_download("org/base", "model.safetensors")  # the cache knows the new commit, too
    resumed = hf_tasks.train(training("run"))
    assert resumed.recipe.model.revision == begun != base.branches["main"]
    assert resumed.results["base"]["revision"] == begun
    one, two = (load_file(run.path / "model.safetensors") for run in (undisturbed, resumed))
    torch.testing.assert_close(one, two, rtol=0, atol=0)
    assert hf_tasks.train(training("new")).recipe.model.revision == base.branches["main"]


def killed() -> NoReturn:
    raise KeyboardInterrupt


def test_a_dry_run_lists_files(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    texts = {"README.md": "# x\n", "recipe.yaml": "model: {name_or_path: x}\n", "results.json": "{}", "secret.bin": "x"}
    for name, text in (texts | {"model.safetensors": "0" * 1234}).items():
        (run / name).write_text(text)
    monkeypatch.setattr(sys, "argv", ["hf-tasks", "push", str(run), "org/model", "--dry-run"])
    with pytest.raises(SystemExit) as code:
        cli.main()
    assert code.value.code == 0
    assert capfd.readouterr().out == (
        "             4  README.md\n"
        "         1,234  model.safetensors\n"
        "            25  recipe.yaml\n"
        "             2  results.json\n"
        "         1,265  bytes in 4 files, nothing was sent\n"
        f"{hub.url}/org/model\n"
    )
    assert hub.requests == []


def test_mistakes_in_the_section() -> None:
    with pytest.raises(RecipeError) as e:
        from_dict({"hub": {"repo_id": "model", "privat": False}})
    assert [problem for problem in e.value.problems if ": hub." in problem] == [
        'recipe: hub.repo_id: "model" is not a valid repository name; write ORG/NAME with letters, digits, dots, '
        "dashes, underscores, no two dots or dashes in a row",
        'recipe: hub.privat: unknown key; did you mean "private"?',
    ]
