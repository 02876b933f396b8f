"""What strangers write into small files: it is refused in one line, at once, and in little memory."""

import json
import os
from itertools import pairwise
from pathlib import Path

import pytest

from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.core.printable import printable
from hf_tasks.core.terminal import table
from hf_tasks.core.untrusted import LARGEST_YAML, malformed_as_run_error, parse_json, parse_yaml, read_json, read_text
from hf_tasks.recipe import yaml_file

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefghij")
)


def message(text: str) -> str:
    with pytest.raises(ValueError) as e:
        parse_yaml(text)
    return str(e.value)


def test_yaml_without_aliases() -> None:
    assert parse_yaml("a: [1, x]\nb: {c: null}") == {"a": [1, "x"], "b": {"c": None}}
    assert message(LAUGHS) == "not valid YAML: alias *a"
    assert message("a: &a [*a]") == "not valid YAML: alias *a"
    assert message("[" * 5000) == "is nested too deeply"
    assert message(" " * (LARGEST_YAML + 1)) == "has more than 4,194,304 characters of YAML"
    assert message("a: !!python/object/apply:os.system ['true']").startswith("not valid YAML: could not determine a")
    assert message("a: \x00").startswith("not valid YAML: ")


def test_json_that_is_nested_or_huge() -> None:
    with pytest.raises(ValueError, match="^is nested too deeply$"):
        parse_json("[" * 100_000)
    with pytest.raises(ValueError, match="^Exceeds the limit"):
        parse_json("1" * 5000)


def test_only_regular_files_of_a_bounded_size_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file|Is a directory"):
            read_text(path)
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(ValueError, match="^has more than 10 bytes$"):
        read_text(tmp_path / "large", 10)
    (tmp_path / "latin").write_bytes(b"\xe9")
    with pytest.raises(ValueError, match="utf-8"):
        read_json(tmp_path / "latin")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * 5000, ": not valid YAML: nested too deeply; a recipe has a few levels"),
        (LAUGHS.encode(), ":2: anchors and aliases (*a) are not supported; write the value itself"),
        (b"a: 1\n" * 900_000, ": has more than 4,194,304 bytes; a recipe is a short file"),
    ],
    ids=["nested", "laughs", "large"],
)
def test_a_recipe_of_a_stranger(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError) as e:
        yaml_file.read(path)
    assert str(e.value) == f"{path}{said}"


def test_values_of_another_kind_are_one_line() -> None:
    with pytest.raises(RunError) as e, malformed_as_run_error(Path("run/results.json")):
        {"a": 1}["b"]
    assert str(e.value) == "run/results.json: its content is not what hf_tasks writes ('b'); train the run again"
    with pytest.raises(RunError, match="^other$"), malformed_as_run_error(Path("run")):
        raise RunError("other")


# -- terminals

STEERING = "a\x1b]0;title\x07\x1b[2Jb\x9b31m\u202ec\rd"


def test_nothing_steers_the_terminal() -> None:
    assert printable(STEERING) == r"a\x1b]0;title\x07\x1b[2Jb\x9b31m\u202ec\rd"
    assert printable("é\tü\nمرحبا\u200d한") == "é\tü\nمرحبا\u200d한"
    assert str(RunError(STEERING)) == printable(STEERING)
    assert RunError(STEERING).problems == (printable(STEERING),)
    assert "\x1b" not in table({"n": 1, "per_class": {STEERING: {"f1": 0.5}}, STEERING: 1.0})


def test_json_output_keeps_its_own_escapes() -> None:
    assert json.loads(json.dumps(STEERING, ensure_ascii=False)) == STEERING
