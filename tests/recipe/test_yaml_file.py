"""YAML with lines, and --set."""

import math
from pathlib import Path
from typing import Any

import pytest

from hf_tasks.core.errors import RecipeError
from hf_tasks.recipe.yaml_file import parse, read


def message(text: str) -> str:
    with pytest.raises(RecipeError) as e:
        parse(text, "r.yaml")
    return str(e.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-5", 2e-5), ("1E3", 1000.0), ("2.", 2.0), (".5", 0.5), ("-1.5e+3", -1500.0), ("-.inf", -math.inf),
        ("12", 12), ("+7", 7), ("-3", -3), ("0x1F", 31), ("0o17", 15), ("017", 17),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("no", "no"), ("on", "on"), ("yes", "yes"), ("1_000", "1_000"), ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("e5", "e5"), ("1.2.3", "1.2.3"), ("'3'", "3"), ("tRue", "tRue"),
    ],
)  # fmt: skip
def test_scalars_are_read_by_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    found = parse(f"key: {text}", "r.yaml").values["key"]
    assert found == value
    assert type(found) is type(value)


def test_nan() -> None:
    assert math.isnan(parse("key: .nan", "r.yaml").values["key"])


def test_every_key_and_item_has_its_line() -> None:
    text = "# comment\nname: x\ndata:\n  train: [a,\n    b]\n  columns: {text: body,\n    label: y}\n"
    assert parse(text, "r.yaml").lines == {
        (): 2, ("name",): 2, ("data",): 3, ("data", "train"): 4, ("data", "train", 0): 4, ("data", "train", 1): 5,
        ("data", "columns"): 6, ("data", "columns", "text"): 6, ("data", "columns", "label"): 7,
    }  # fmt: skip


def test_where_falls_back_to_the_section_above() -> None:
    source = parse("name: x\ntask:\n  name: y\n", "r.yaml")
    assert source.where(("task", "name")) == "r.yaml:3"
    assert source.where(("task", "max_length")) == "r.yaml:2"
    assert source.where(("model",)) == "r.yaml:1"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "r.yaml:3: a: written twice (first on line 1); keep one of them"),
        ("s:\n  a: 1\n  a: 2\n", "r.yaml:3: s.a: written twice (first on line 2); keep one of them"),
        ("a: {b: 1, b: 2}", "r.yaml:1: a.b: written twice (first on line 1); keep one of them"),
        ("a: 1\nb: [1, 2", "r.yaml:2: not valid YAML: expected ',' or ']', but got '<stream end>'; correct this line"),
        ("a: 1\n\tb: 2", "r.yaml:2: not valid YAML: the line is indented with a tab; use blanks"),
        ("a: 'x", "r.yaml:1: not valid YAML: found unexpected end of stream; correct this line"),
        ("a: 1\n---\nb: 2", "r.yaml:2: not valid YAML: but found another document; correct this line"),
        ("a: &x 1\nb: *x", "r.yaml:2: anchors and aliases (*x) are not supported; write the value itself"),
        ("a: &x {b: *x}", "r.yaml:1: anchors and aliases (*x) are not supported; write the value itself"),
        ("task:\n  name: x\n  max_length:64\n  b: 1",
         'r.yaml:3: a blank is missing after the colon; write "max_length: 64"'),
        ("name:x\ntask:\n  a: 1", 'r.yaml:1: a blank is missing after the colon; write "name: x"'),
        ("? [1, 2]\n: 3", "r.yaml:1: a key must be one word; write a value in {} or [] after `key: `"),
        ("a: !!int x", "r.yaml: not valid YAML: invalid literal for int() with base 10: 'x'; "
                       "write the number, or put the text in quotes"),
        ("a: !!python/object:os.system x", "r.yaml:1: not valid YAML: could not determine a constructor for the tag "
                                           "'tag:yaml.org,2002:python/object:os.system'; correct this line"),
        ("a: \x00", "r.yaml: not valid YAML: unacceptable character #x0000: special characters are not allowed; "
                    "save it as plain UTF-8 text"),
    ],
)  # fmt: skip
def test_what_is_not_a_recipe_is_named_with_its_line(text: str, problem: str) -> None:
    assert message(text) == problem


@pytest.mark.parametrize("text", ["", "# nothing\n", "- 1\n", "text\n"])
def test_the_top_level_must_be_keys(text: str) -> None:
    assert message(text) == "r.yaml:1: a recipe has the keys name, task, data and model; write `key: value` lines"


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\n")
    assert read(path).values == {"name": "x"}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: café".encode("latin-1"))
    with pytest.raises(RecipeError) as e:
        read(latin)
    assert str(e.value) == f"{latin}: not a UTF-8 text file (byte 9); save it as UTF-8"
    with pytest.raises(RecipeError) as e:
        read(tmp_path / "none.yaml")
    path = tmp_path / "none.yaml"
    assert str(e.value) == f"{path}: cannot be read: No such file or directory; give the path of a recipe file"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "r.yaml"
    path.write_text("name: x\ntask:\n  name: y\n  labels: [a]\n", encoding="utf-8")
    return path


def test_overrides_replace_and_add(recipe: Path) -> None:
    changes = ("training.learning_rate=3e-5", "task.name=z", "data.columns.text=body", "name='7'", "task.labels=[b, c]")
    assert read(recipe, (*changes, "training.run_name=a=b")).values == {
        "name": "7",
        "task": {"name": "z", "labels": ["b", "c"]},
        "training": {"learning_rate": 3e-5, "run_name": "a=b"},
        "data": {"columns": {"text": "body"}},
    }


def test_the_last_override_of_a_key_counts(recipe: Path) -> None:
    assert read(recipe, ("name=a", "name=b")).values["name"] == "b"


def test_where_names_the_override(recipe: Path) -> None:
    source = read(recipe, ("task={name: q}",))
    assert source.where(("task", "name")) == "--set task={name: q}"
    assert source.where(("name",)) == f"{recipe}:1"


def test_where_names_the_override_that_makes_a_section(recipe: Path) -> None:
    source = read(recipe, ("method.r=8",))
    assert source.where(("method", "name")) == source.where(("method",)) == "--set method.r=8"


def test_wrong_overrides_are_reported_together(recipe: Path) -> None:
    with pytest.raises(RecipeError) as e:
        read(recipe, ("learning_rate", "=3", "a..b=1", "a=[1", "b=!!int x", "name=ok"))
    form = "does not have the form key=value; write e.g. --set training.learning_rate=3e-5"
    assert e.value.problems == (
        f"--set learning_rate: {form}",
        f"--set =3: {form}",
        f"--set a..b=1: {form}",
        "--set a=[1: the value '[1' is not valid YAML; quote it",
        "--set b=!!int x: the value '!!int x' is not valid YAML; quote it",
    )


def test_another_method_by_set_leaves_the_keys_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(
        "method:\n  name: full\n  layer_decay: 0.9\ndata:\n  path: org/data\n  name: en\n", encoding="utf-8"
    )
    assert read(path, ("method.name=full",)).values["method"] == {"name": "full", "layer_decay": 0.9}
    assert read(path, ("method.name=lora",)).values["method"] == {"name": "lora"}
    assert read(path, ("method.r=4", "method.name=lora")).values["method"] == {"name": "lora", "r": 4}
    assert read(path, ("data.name=de",)).values["data"] == {"path": "org/data", "name": "de"}
