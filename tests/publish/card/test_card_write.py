"""What people write in a card stays, what is generated is renewed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hf_tasks.core.errors import RunError
from hf_tasks.publish import card
from hf_tasks.publish.card.write import blocks, metadata, renewed
from hf_tasks.recipe import Recipe, to_yaml
from hf_tasks.runs.run import Run


@pytest.fixture
def run(tmp_path: Path, recipe: Recipe, results: dict[str, Any]) -> Run:
    """A run's directory without a model: what a card needs."""
    (tmp_path / "results.json").write_text(json.dumps(results))
    (tmp_path / "recipe.yaml").write_text(to_yaml(recipe))
    (tmp_path / "environment.json").write_text("{}")
    return Run(tmp_path, recipe)


def test_the_card_and_its_pictures_are_written(run: Run) -> None:
    assert card.write(run) == run.path / "README.md"
    assert (run.path / "README.md").read_text() == card.render(run.recipe, run.results)
    assert (run.path / "pictures" / "training_curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_person_s_words_stay_and_numbers_are_renewed(run: Run, results: dict[str, Any]) -> None:
    file = card.write(run)
    mine = file.read_text().replace("## Limits\n", "## Limits\n\nNot for medicine.\n")
    mine = mine.replace("| `accuracy` | 0.9125 |", "| `accuracy` | 1.0000 |").replace("[fill in: who", "For us [who")
    mine = mine.replace("\n<!-- hf_tasks:begin usage -->", "\nMy words.\n\n<!-- hf_tasks:begin usage -->")
    file.write_text(mine)
    results["test"]["accuracy"] = 0.5
    (run.path / "results.json").write_text(json.dumps(results))
    text = card.write(Run(run.path, run.recipe)).read_text()
    assert "Not for medicine." in text and "For us [who" in text and "My words." in text
    assert "| `accuracy` | 0.5000 |" in text and "1.0000" not in text and "0.9125" not in text
    assert blocks(text) == blocks(card.render(run.recipe, results))


def test_renewing_what_nobody_changed_changes_nothing(run: Run) -> None:
    first = card.write(run).read_text()
    assert blocks(card.write(run).read_text()) == blocks(first)
    assert yaml.safe_load(first.split("---\n")[1]) == metadata(card.write(run).read_text())
    assert card.write(run).read_text() == card.write(run).read_text()


def test_a_part_that_a_person_removed_stays_removed(run: Run) -> None:
    file = card.write(run)
    before, _, rest = file.read_text().partition("<!-- hf_tasks:begin citation -->")
    file.write_text(before + rest.partition("<!-- hf_tasks:end citation -->")[2])
    assert "citation" not in blocks(card.write(run).read_text())


def test_keys_of_the_metadata_are_shared() -> None:
    edited = "---\nlicense: mit\nthumbnail: a.png\nmetrics: [old]\nmodel-index: []\ntags: [mine, hf_tasks]\n---\nText\n"
    fresh = "---\nlanguage: en\nmetrics: [f1]\ntags: [hf_tasks, full]\n---\nOther\n"
    text = renewed(edited, fresh)
    assert metadata(text) == {
        "license": "mit", "thumbnail": "a.png", "language": "en", "metrics": ["f1"],
        "tags": ["hf_tasks", "full", "mine"],
    }  # fmt: skip
    assert text.endswith("---\nText\n")


def test_a_licence_and_comments_of_a_person_stay(run: Run) -> None:
    file = card.write(run)
    mine = file.read_text().replace("license: apache-2.0\n", "license: cc-by-nc-4.0  # our lawyers say so\n# mine\n")
    file.write_text(mine)
    text = card.write(Run(run.path, run.recipe)).read_text()
    assert "license: cc-by-nc-4.0  # our lawyers say so\n# mine\n" in text
    assert "## Licence\n\n`cc-by-nc-4.0`; the card of the base model says `apache-2.0`.\n" in text
    assert metadata(text)["model-index"] == metadata(mine)["model-index"]
    results = run.results | {"test": run.results["test"] | {"accuracy": 0.5}}
    (run.path / "results.json").write_text(json.dumps(results))
    text = card.write(Run(run.path, run.recipe)).read_text()
    assert "license: cc-by-nc-4.0  # our lawyers say so\n# mine\n" in text and "value: 0.5\n" in text
    file.write_text(text.replace("language: en", "language: [en"))
    with pytest.raises(RunError, match="README.md: its metadata cannot be read: .*; correct it"):
        card.write(run)


def test_a_card_without_generated_parts_is_left_alone(run: Run) -> None:
    (run.path / "README.md").write_text("# All mine\n")
    with pytest.raises(RunError) as e:
        card.write(run)
    assert str(e.value) == (
        f"{run.path / 'README.md'}: has no generated sections to update; move the file away and write the card again"
    )
    assert (run.path / "README.md").read_text() == "# All mine\n"


def test_the_id_on_the_hub(run: Run) -> None:
    card.write(run)
    text = card.text(run, "me/mine")
    assert 'load_run("me/mine")' in text and 'model="me/mine"' in text and "ORG/NAME" not in text
    assert 'load_run("ORG/NAME")' in (run.path / "README.md").read_text()


def test_on_a_terminal_it_is_laid_out(run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    text = card.text(run)
    card.show(text)
    assert capsys.readouterr().out == text + "\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    card.show(text)
    shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert "pipeline_tag: text-classification" in shown and "0.9125" in shown
    assert (
        "hf_tasks:begin" not in shown and "| ---" not in shown and "**0.9125**" not in shown and "details>" not in shown
    )
