"""The cards in `cards/` are what their recipes and results give."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from hf_tasks.core import shipped
from hf_tasks.publish.card.__main__ import CARD, RECIPE, add, generated
from hf_tasks.recipe import Recipe, validate, yaml_file
from hf_tasks.runs import recompute
from hf_tasks.runs.run import Run

CARDS = Path(__file__).parents[3] / "cards"
FOLDERS = sorted(path.parent for path in CARDS.glob(f"*/{CARD}"))
NAMES = [folder.name for folder in FOLDERS]


def test_they_are_those_of_shipped_recipes() -> None:
    assert "quickstart" in NAMES
    assert set(NAMES) <= shipped.shipped().keys()


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_a_card_is_what_its_recipe_and_results_give(folder: Path) -> None:
    card = (folder / CARD).read_text(encoding="utf-8")
    assert card == generated(folder)
    assert ModelCard(card).data.to_dict()["model-index"][0]["name"].replace("-", "_") == folder.name
    assert "](pictures/training_curve.png)" in card and (folder / "pictures" / "training_curve.png").is_file()


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_its_scores_are_those_of_its_counts(folder: Path) -> None:
    """Of the cards of runs that were trained since counts are kept."""
    assert recompute.problems(Run(folder, validate(yaml_file.read(folder / RECIPE)))) == []


def test_a_new_card_keeps_the_counts_of_its_run(recipe: Recipe, results: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "run" / "counts").mkdir(parents=True)
    (tmp_path / "run" / "counts" / "test.npz").write_bytes(b"counts")
    (tmp_path / "run" / "results.json").write_text(json.dumps(results), encoding="utf-8")
    target = add(Run(tmp_path / "run", recipe), tmp_path / "cards")
    assert target == tmp_path / "cards" / "intents"
    assert (target / "counts" / "test.npz").read_bytes() == b"counts"


def test_the_table_of_recipes_is_written_from_the_cards() -> None:
    table = runpy.run_path(str(CARDS / "table.py"))
    text = table["README"].read_text(encoding="utf-8")
    assert text == table["written"](text)
    assert "| `quickstart` | " in text


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_its_recipe_is_the_shipped_one(folder: Path) -> None:
    run, here = yaml_file.read(folder / RECIPE).values, yaml_file.read(shipped.find(folder.name)).values
    assert run["model"] == here["model"] and run["card"].keys() == here["card"].keys()
    for key, value in here.get("training", {}).items():
        assert run["training"][key] == value


def test_no_card_names_a_folder_of_a_machine() -> None:
    found = [path for path in CARDS.rglob("*.*") if path.suffix in (".json", ".yaml", ".md")]
    assert [path for path in found if re.search(r"[\" (](/\w+){3,}", path.read_text(encoding="utf-8"))] == []
