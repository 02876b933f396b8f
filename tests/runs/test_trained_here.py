"""Which runs are known as trained on this machine, and what the others may not do."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from hf_tasks.publish.card import checks
from hf_tasks.publish.hub import push
from hf_tasks.recipe import from_dict
from hf_tasks.runs import manifest
from hf_tasks.runs.run import Run
from hf_tasks.runs.trained_here import is_trained_here, record


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "hf_tasks" / "trained_here.txt"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("recipe.yaml", "environment.json", "results.json"):
        (folder / name).write_text("{}")
    return folder


def test_a_run_is_known_after_it_was_recorded_wherever_it_is(run: Path, tmp_path: Path, state: Path) -> None:
    assert not is_trained_here(run)
    record(run)
    assert is_trained_here(run)
    assert is_trained_here(Path(shutil.copytree(run, tmp_path / "copy")))
    digest, place = state.read_text().split()
    assert (len(digest), place) == (64, str(run))


def test_changes_that_are_accepted_where_it_was_trained(run: Path, tmp_path: Path) -> None:
    record(run)
    manifest.write(run)
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    for folder in (run, copy):
        (folder / "results.json").write_text('{"a": 1}')
    assert not is_trained_here(run)
    assert manifest.renew(run)
    assert is_trained_here(run)
    (run / "recipe.yaml").write_text("name: y")
    assert manifest.renew(run)  # again
    assert is_trained_here(run)


def test_changes_of_a_run_from_elsewhere_are_accepted_without_trust(run: Path, tmp_path: Path) -> None:
    record(run)
    manifest.write(run)
    copy = Path(shutil.copytree(run, tmp_path / "copy"))  # its manifest is that of a run that was trained here
    (copy / "results.json").write_text('{"a": 1}')
    assert not manifest.renew(copy)
    assert not is_trained_here(copy)
    shutil.rmtree(run)
    copy.rename(run)  # another run in the place of one that was trained here
    assert not manifest.renew(run)
    (run / "manifest.json").write_text("{}")
    assert not manifest.renew(run)
    assert not is_trained_here(run)


@pytest.mark.parametrize("name", ["recipe.yaml", "environment.json", "results.json"])
def test_a_run_that_was_changed_is_not_known(run: Path, name: str) -> None:
    record(run)
    (run / name).write_text('{"a": 1}')
    assert not is_trained_here(run)
    (run / name).unlink()
    assert not is_trained_here(run)


def test_contents_that_change_places_are_another_run(run: Path) -> None:
    (run / "recipe.yaml").write_text("ab")
    (run / "environment.json").write_text("c")
    record(run)
    (run / "recipe.yaml").write_text("a")
    (run / "environment.json").write_text("bc")
    assert not is_trained_here(run)


def test_a_state_folder_that_cannot_be_written_ends_nothing(
    run: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state.parent.parent.write_text("in the way")
    record(run)
    assert capsys.readouterr().err == (
        f"{state}: cannot be written (Not a directory): the run counts as trained elsewhere\n"
    )
    assert not is_trained_here(run)


def test_the_folder_and_template_of_a_strange_run_are_not_read(run: Path, tmp_path: Path) -> None:
    recipe = from_dict(
        {
            "name": "x", "task": {"name": "text-classification"}, "data": {"train": "a.csv"},
            "model": {"name_or_path": "org/base"}, "card": {"template": "mine.jinja"},
        }
    )  # fmt: skip
    (tmp_path / "mine.jinja").write_text("a template of a stranger")
    (run / "environment.json").write_text(json.dumps({"recipe_folder": str(tmp_path)}))
    strange = Run(run, recipe)
    assert strange.recipe_folder is None
    record(run)
    assert strange.recipe_folder == tmp_path


def test_code_of_a_strange_run_runs_only_on_demand(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[Any] = []
    recipe = from_dict(
        {
            "name": "x", "task": {"name": "text-classification", "labels": ["a", "b"]}, "data": {"train": "a.csv"},
            "model": {"name_or_path": "org/base"},
        }
    )  # fmt: skip
    strange = Run(run, recipe)
    from hf_tasks.publish import card

    card.write(strange)
    monkeypatch.setattr(
        checks, "_run", lambda code, **_: ran.append(code) or checks.subprocess.CompletedProcess([], 0, "", "")
    )
    monkeypatch.setattr(Run, "load", lambda path: strange)
    assert card.check(strange) == []
    push.check_card(run)
    assert ran == []
    assert capsys.readouterr().err == f"{checks.NOT_RUN}\n"
    assert card.check(strange, run_snippets=True) == []
    assert len(ran) == 2
    record(run)
    push.check_card(run)
    assert len(ran) == 4
    assert capsys.readouterr().err == "running the snippets of the card\n"
