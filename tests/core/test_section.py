"""Blocks, suggestions, and the mirrored sections of other libraries."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from hf_tasks.core import section
from hf_tasks.core.section import Section, did_you_mean, mirror

SOURCE = '''
from dataclasses import dataclass, field
from typing import Any, Literal, Optional, Union

class Other:
    wrong: int = 0

@dataclass
class Options(Other):
    """Of another library."""
    rate: float = field(default=1.0)
    size: int = 3
    name: Optional[str] = None
    kind: Literal["a", "b"] = "a"
    parts: Union[list[str], str, None] = None
    extra: dict[str, Any] | None = None
    strategy: "Strategy" = None
    other: Other = None
    untyped = 4

    def method(self) -> int:
        local: int = 3
        return local
'''


class Small(Section):
    rate: float = 0.5
    labels: tuple[str, ...] = ()


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Section]:
    package = tmp_path / "somelibrary" / "sub"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "options.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    section.mirror.cache_clear()
    return mirror("somelibrary.sub.options", "Options")


def test_a_block_is_frozen_and_closed_and_coerces_nothing() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Small().rate = 1.0  # type: ignore[misc]
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Small(rat=1.0)  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="float_type"):
        Small(rate="0.5")  # type: ignore[arg-type]


def test_given_has_what_was_written_even_where_it_is_the_default() -> None:
    assert Small(rate=0.5).given() == {"rate": 0.5}
    assert Small().given() == {}


@pytest.mark.parametrize(
    ("word", "hint"),
    [("learning_rat", '; did you mean "learning_rate"?'), ("lr", ""), ("", ""), ("label", '; did you mean "labels"?')],
)
def test_did_you_mean_names_the_closest_word_or_none(word: str, hint: str) -> None:
    assert did_you_mean(word, ["learning_rate", "labels", "seed"]) == hint


def test_a_mirror_has_the_annotated_fields_of_the_class_and_does_not_import_it(options: type[Section]) -> None:
    names = ["rate", "size", "name", "kind", "parts", "extra", "strategy", "other"]
    assert list(options.model_fields) == names
    assert options().given() == {}


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("rate", 1, "1"), ("rate", None, [1]), ("size", 2, 2.5), ("size", None, True), ("name", "x", 3),
        ("kind", "b", "c"), ("parts", ["x"], [1]), ("parts", "x", 1), ("extra", {"a": 1}, [1]),
    ],
)  # fmt: skip
def test_a_mirror_checks_plain_annotations(options: type[Section], name: str, right: object, wrong: object) -> None:
    assert options(**{name: right}).given() == {name: right}
    with pytest.raises(ValidationError):
        options(**{name: wrong})


@pytest.mark.parametrize("value", ["epoch", 3, None, ["x"]])
def test_a_mirror_takes_as_it_is_what_the_library_s_own_types_describe(options: type[Section], value: object) -> None:
    assert options(strategy=value, other=value).given() == {"strategy": value, "other": value}


def test_a_mirror_of_a_library_that_is_not_installed() -> None:
    with pytest.raises(ModuleNotFoundError) as e:
        mirror("nosuchlibrary.options", "Options")
    assert str(e.value) == "the library 'nosuchlibrary' is not installed; install it with: pip install nosuchlibrary"


def test_the_mirror_of_training_arguments_has_exactly_its_fields() -> None:
    from dataclasses import fields

    from transformers import TrainingArguments

    mirrored = mirror("transformers.training_args", "TrainingArguments").model_fields
    assert sorted(mirrored) == sorted(field.name for field in fields(TrainingArguments) if field.init)
