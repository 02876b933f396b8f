"""Every shipped recipe is a valid one, and is found by its name."""

import re
from pathlib import Path

import pytest

from hf_tasks import recipe
from hf_tasks.core import shipped
from hf_tasks.core.errors import RecipeError
from hf_tasks.recipe import yaml_file

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
NAMES = [path.stem for path in RECIPES]


def test_all_files_of_the_folder_are_shipped() -> None:
    assert "quickstart" in NAMES
    assert shipped.shipped() == {path.stem: path for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=NAMES)
def test_a_shipped_recipe_is_valid_and_flat_and_says_what_it_is(path: Path) -> None:
    source = yaml_file.read(path)
    loaded = recipe.validate(source)
    assert loaded.name.replace("-", "_") == path.stem
    title = shipped.title(path)
    assert 20 <= len(title) <= 120
    assert path.read_text(encoding="utf-8").startswith(f"# {title}")
    assert re.search(r"https?://", path.read_text(encoding="utf-8").partition("\nname:")[0]), "the source of the data"


@pytest.mark.parametrize("path", RECIPES, ids=NAMES)
def test_a_shipped_recipe_fits_the_schema(path: Path) -> None:
    schema = recipe.Recipe.model_json_schema()
    values = yaml_file.read(path).values
    assert set(schema["required"]) <= values.keys() <= schema["properties"].keys()
    for section, name in (("data", "Data"), ("model", "Model"), ("training", "Training")):
        assert values.get(section, {}).keys() <= schema["$defs"][name]["properties"].keys()
    task = schema["properties"]["task"]["discriminator"]["mapping"][values["task"]["name"]].rpartition("/")[2]
    assert values["task"].keys() <= schema["$defs"][task]["properties"].keys()


def test_a_title_ends_before_the_citation() -> None:
    path = shipped.find("quickstart")
    assert shipped.title(path) == "Intents of online-banking queries, 10 examples each: Banking77"


def test_the_data_of_the_quickstart_come_with_it() -> None:
    assert recipe.load(shipped.find("quickstart")).name == "quickstart"


def test_a_file_goes_before_a_shipped_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped.find("quickstart") == shipped.FOLDER / "quickstart.yaml"
    Path("quickstart").write_text("name: mine\n")
    assert shipped.find("quickstart") == Path("quickstart")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("quickstrat", '; did you mean "quickstart"?'), ("zzz", "; see: hf-tasks recipes list")],
)
def test_a_name_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, hint: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError) as e:
        shipped.find(name)
    assert str(e.value) == f"{name}: there is no such file and no shipped recipe of that name{hint}"


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as e:
        shipped.find(tmp_path)
    assert str(e.value) == f"{tmp_path}: is a folder; give a recipe file (.yaml)"
