"""What a training was begun with, and what of it has changed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Tiny

from hf_tasks.models import checkpoint_files
from hf_tasks.recipe import from_dict
from hf_tasks.runs.origin import Origin
from hf_tasks.training.inputs import effective, origin_of

BEGUN = Origin(
    recipe={"training.learning_rate": 5e-5, "data.train": "a.csv", "model.name_or_path": "m", "card.language": "en"},
    data={"train": {"a.csv": "1", "b.csv": "2"}, "test": {"c.csv": "3"}},
    base={"model.name_or_path": {"config.json": "4", "model.safetensors": "5", "tokenizer.json": "6"}},
    packages={"torch": "2.13.0", "peft": "0.21.2"},
    processes=1,
    machine={"processor": "A", "accelerator": None, "threads": 1},
)


@pytest.mark.parametrize(
    ("now", "changes"),
    [
        (BEGUN, []),
        (replace(BEGUN, recipe=BEGUN.recipe | {"card.language": "de", "name": "x", "hub.repo_id": "a/b"}), []),
        (replace(BEGUN, machine={"processor": "B", "accelerator": None, "threads": 2}), []),
        (
            replace(BEGUN, recipe=BEGUN.recipe | {"data.train": "x/a.csv", "model.name_or_path": "copy"},
                    data={"train": {"x/a.csv": "1", "x/b.csv": "2"}, "test": {"c.csv": "3"}}),
            [],
        ),
        (replace(BEGUN, recipe=BEGUN.recipe | {"data.train": "x/a.csv"}, data={}),
         ['data.train was "a.csv" and is now "x/a.csv"']),
        (replace(BEGUN, data={"train": {"a.csv": "1", "b.csv": "9"}, "test": {"c.csv": "3"}}),
         ["the data have changed (b.csv)"]),
        (replace(BEGUN, data={"train": {"b.csv": "2", "a.csv": "1"}, "test": {"c.csv": "3"}}),
         ["the data have changed (a.csv, b.csv)"]),
        (replace(BEGUN, data={"train": {"a.tsv": "1", "b.csv": "2"}, "test": {"c.csv": "3"}}),
         ["the data have changed (a.csv, a.tsv, b.csv)"]),
        (replace(BEGUN, data={"train": BEGUN.data["train"]}), ["the data have changed (c.csv)"]),
        (
            replace(BEGUN, base={"model.name_or_path": {"config.json": "4", "model.safetensors": "0", "a.spm": "7"}}),
            ["the checkpoint of model.name_or_path has changed (a.spm, model.safetensors, tokenizer.json)"],
        ),
        (replace(BEGUN, base={}, recipe=BEGUN.recipe | {"model.name_or_path": "n"}),
         ['model.name_or_path was "m" and is now "n"']),
        (
            replace(BEGUN, packages={"torch": "2.14.0"}, processes=2, recipe={**BEGUN.recipe, "seed": 7}),
            ["seed was not given and is now 7", "peft was 0.21.2 and is now not installed",
             "torch was 2.13.0 and is now 2.14.0", "the number of processes was 1 and is now 2"],
        ),
    ],
)  # fmt: skip
def test_changes(now: Origin, changes: list[str]) -> None:
    assert list(BEGUN.changes(now)) == changes


def test_what_only_describes_or_rounds() -> None:
    now = replace(BEGUN, recipe=BEGUN.recipe | {"card.language": "de"}, machine={"threads": 2})
    assert list(BEGUN.about_changes(now)) == ['card.language was "en" and is now "de"']
    assert list(BEGUN.machine_changes(now)) == ["threads was 1 and is now 2"]


def values(**sections: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": "x", "task": {"name": "text-classification"}, "data": {"train": "x.csv"}, "model": {"name_or_path": "a"}
    }  # fmt: skip
    return plain | sections


@pytest.mark.parametrize(
    "written",
    [
        {"training": {"seed": 42, "num_train_epochs": 3, "learning_rate": 5e-5, "warmup_steps": 0.1}},
        {"training": {"batch_size": 32}},
        {"training": {"per_device_train_batch_size": 32, "gradient_accumulation_steps": 1}},
        {"training": {"lr_scheduler_type": "linear", "adam_beta1": 0.9, "max_grad_norm": 1.0}},
        {"training": {"eval_strategy": "epoch", "save_strategy": "epoch", "load_best_model_at_end": True}},
        {"data": {"train": "x.csv", "validation_size": 0.1, "seed": 42, "bad_rows": "stop", "columns": {}}},
        {"task": {"name": "text-classification", "max_length": 512}},
        {"method": {"name": "full"}},
        {"seeds": None, "hub": None, "early_stopping": None},
    ],
)
def test_a_default_that_is_written_out_changes_nothing(written: dict[str, Any]) -> None:
    assert effective(from_dict(values(**written))) == effective(from_dict(values()))


def test_the_defaults_of_peft_are_known_too() -> None:
    short, long = (
        effective(from_dict(values(method={"name": "lora", **keys})))
        for keys in ({}, {"r": 8, "lora_alpha": 8, "bias": "none", "lora_dropout": 0.0})
    )
    assert short == long
    assert short["method.r"] == 8


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ({"early_stopping": {}}, {"early_stopping.early_stopping_patience", "early_stopping.early_stopping_threshold"}),
        ({"training": {"per_device_train_batch_size": 16}}, {"training.batch_size"}),
        ({"training": {"batch_size": 32, "per_device_train_batch_size": 16}}, {"training.per_device_train_batch_size"}),
        ({"data": {"train": "x.csv", "seed": 7}}, {"data.seed"}),
    ],
)
def test_what_is_no_default_is_a_change(written: dict[str, Any], keys: set[str]) -> None:
    one, other = effective(from_dict(values())), effective(from_dict(values(**written)))
    assert {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)} == keys


def test_the_origin_of_a_recipe(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("text,label\na,b\n")
    origin = origin_of(from_dict(values(model={"name_or_path": str(tiny("bert"))})), tmp_path)
    digest = "13d04eb1f2a9b46e4ef1ab8a5ae25b25ca50b0d6a2d6a83c4a6dd3ab6df9d6d8"
    assert list(origin.data) == ["train", "validation"]
    assert list(origin.data["train"]) == [str(tmp_path / "x.csv")]
    assert {len(digest)} == {len(one) for one in origin.data["train"].values()}
    assert origin.base["model.name_or_path"].keys() == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"
    }  # fmt: skip
    assert origin.packages.keys() >= {"hf_tasks", "torch", "transformers", "tokenizers", "peft"}
    assert origin.machine.keys() == {"processor", "accelerator", "threads", "matmul"}


def test_files_that_are_not_read_do_not_count() -> None:
    names = ["model.safetensors", "model-00001-of-00002.safetensors", "spiece.model", "vocab.json", "tokenizer.json"]
    assert [name for name in names if not checkpoint_files.is_read(name)] == []
    others = ["README.md", "pytorch_model.bin", "results.json", "recipe.yaml", "status.json", "manifest.json"]
    assert [name for name in others if checkpoint_files.is_read(name)] == []


def test_what_a_sweep_varies_is_not_compared() -> None:
    other = replace(BEGUN, base={"model.name_or_path": {}}, data={"train": {"x.csv": "0"}})
    varied = ("model.name_or_path", "data.train")
    assert list(BEGUN.without(varied).changes(other.without(varied))) == []
    assert list(BEGUN.without(varied).input_changes(other)) == []
    assert list(BEGUN.without(["data.train.source"]).input_changes(other)) == [
        "the checkpoint of model.name_or_path has changed (config.json, model.safetensors, tokenizer.json)"
    ]
