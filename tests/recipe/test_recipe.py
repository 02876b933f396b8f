"""Recipes: every problem of a file, at once, each with its line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_tasks.core.errors import RecipeError
from hf_tasks.recipe import Recipe, from_dict, load, to_yaml, validate, yaml_file
from hf_tasks.recipe.messages import located

VALUES: dict[str, Any] = {
    "name": "x",
    "task": {"name": "text-classification"},
    "data": {"train": "train.csv"},
    "model": {"name_or_path": "m"},
}

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes r.yaml beside train.csv, in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("train.csv").write_text("text,label\na,b\n")

    def file(text: str) -> Path:
        Path("r.yaml").write_text(text, encoding="utf-8")
        return Path("r.yaml")

    return file


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as e:
        load(path, overrides)
    return list(e.value.problems)


def problem(**sections: Any) -> str:
    """What is wrong with VALUES where these sections are replaced; there must be one problem."""
    with pytest.raises(RecipeError) as e:
        from_dict(VALUES | sections)
    assert len(e.value.problems) == 1, e.value.problems
    return str(e.value)


GOOD = "name: x\ntask:\n  name: text-classification\ndata:\n  train: train.csv\nmodel:\n  name_or_path: m\n"


def test_a_recipe_and_its_defaults(write: Write) -> None:
    recipe = load(write(GOOD))
    assert recipe.method.name == "full"
    assert recipe.training.given() == {}
    assert recipe.early_stopping is None
    assert recipe.seed == 42
    assert recipe.output_dir == Path("runs/x")


def test_overrides_reach_every_section(write: Write) -> None:
    changes = ("training.seed=7", "training.output_dir=out", "task.max_length=64", "early_stopping={}")
    recipe = load(write(GOOD), changes)
    assert (recipe.seed, recipe.output_dir, recipe.task.max_length) == (7, Path("out"), 64)
    assert recipe.early_stopping is not None
    assert recipe.early_stopping.early_stopping_patience == 1


def test_all_problems_of_a_file_are_reported_at_once(write: Write) -> None:
    path = write(
        "name: x\n"
        "tsk: 3\n"
        "task:\n"
        "  name: text-classification\n"
        "  max_lenght: 128\n"
        "  long_texts: cut\n"
        "data:\n"
        "  train: train.csvv\n"
        "  test: [train.csv, tset.csv]\n"
        "  columns: {txt: body}\n"
        "model:\n"
        "  name_or_path: m\n"
        "training:\n"
        '  learning_rate: "1e-4"\n'
        "  num_train_epoch: 3\n"
        "  push_to_hub: true\n"
        "  bf16: true\n"
        "  fp16: true\n"
    )
    assert sorted(problems(path)) == sorted(
        [
            'r.yaml:2: tsk: unknown key; did you mean "task"?',
            'r.yaml:5: task.max_lenght: unknown key; did you mean "max_length"?',
            "r.yaml:6: task.long_texts: input should be 'truncate' or 'windows'; found \"cut\"",
            'r.yaml:8: data.train: train.csvv: there is no such file; did you mean "train.csv"?',
            "r.yaml:9: data.test: tset.csv: there is no such file; give the path of a file",
            'r.yaml:10: data.columns.txt: text-classification has no such column; did you mean "text"? '
            "(one of: text, text_pair, label, labels, score)",
            'r.yaml:14: training.learning_rate: input should be a valid number; found "1e-4"',
            'r.yaml:15: training.num_train_epoch: unknown key; did you mean "num_train_epochs"?',
            "r.yaml:16: training.push_to_hub: the trainer does not push; remove it, "
            "and add a section hub: {repo_id: ORG/NAME}",
            "r.yaml:18: training.fp16: bf16 and fp16 cannot be combined; keep one of them",
        ]
    )


def test_files_are_missed_even_where_the_task_is_wrong(write: Write) -> None:
    path = write(GOOD.replace("text-classification", "text-clasification").replace("train.csv", "nothere.tsv"))
    known = (
        "coreference, few-shot-classification, fill-mask, multiple-choice, question-answering, sentence-similarity, "
        "text-classification, text-generation, summarization, translation, text2text-generation, token-classification"
    )
    assert problems(path) == [
        f'r.yaml:3: task.name: there is no "text-clasification"; did you mean "text-classification"? (one of: {known})',
        "r.yaml:5: data.train: nothere.tsv: there is no such file; give the path of a file",
    ]


def test_data_files_are_found_beside_the_recipe(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(GOOD)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load(tmp_path / "r.yaml").data.train == "train.csv"
    assert problems(tmp_path / "r.yaml", "data.data_dir=none") == [
        "--set data.data_dir=none: data.data_dir: there is no folder none; give the folder that holds the files"
    ]


def test_splits_of_the_hub_are_no_files(write: Write) -> None:
    path = write(GOOD.replace("train: train.csv", "path: org/set\n  test: test[:10%]"))
    assert load(path).data.train is None


def test_a_saved_recipe_needs_no_data_files() -> None:
    assert from_dict(VALUES | {"data": {"train": "gone.csv"}}).data.train == "gone.csv"
    source = yaml_file.Source("run/recipe.yaml", VALUES | {"data": {"train": "gone.csv"}})
    assert validate(source).data.train == "gone.csv"


@pytest.mark.parametrize("section", ["task", "data", "model"])
def test_empty_and_absent_sections(write: Write, section: str) -> None:
    lines = GOOD.splitlines()
    at = lines.index(f"{section}:")
    empty = write("\n".join(lines[: at + 1] + lines[at + 2 :]) + "\n")
    assert problems(empty)[0] == (
        f"r.yaml:{at + 1}: {section}: must be a section, with its keys indented below it; found nothing"
    )
    absent = write("\n".join(lines[:at] + lines[at + 2 :]) + "\n")
    assert problems(absent)[0] == f"r.yaml:1: {section}: missing; this key has no default, add it"


@pytest.mark.parametrize("section", ["task", "data", "model", "method", "training", "early_stopping"])
def test_a_word_in_place_of_a_section(section: str) -> None:
    form = "must be a section, with its keys indented below it"
    assert problem(**{section: "word"}) == f'recipe: {section}: {form}; found "word"'


@pytest.mark.parametrize(
    ("sections", "text"),
    [
        ({"task": {}}, "task.name: missing; add it (one of: coreference, few-shot-classification, fill-mask, "
                       "multiple-choice, question-answering, sentence-similarity, text-classification, "
                       "text-generation, summarization, translation, text2text-generation, token-classification)"),
        ({"model": {}}, "model: name_or_path is missing; name a checkpoint, or give config for a model from scratch"),
        ({"data": {}}, "data.train: missing; name the file or glob to train on"),
        ({"data": {"train": 3}}, 'data.train: input should be a valid string or must be a list or must be a section, '
                                 'with its keys indented below it; found 3, write "3" in quotes'),
        ({"data": {"train": ["a", 3]}}, 'data.train.1: input should be a valid string; found 3, write "3" in quotes'),
        ({"data": {"train": {"source": "a", "target": "b", "a": 1}}}, "data.train.a: unknown key; remove it"),
        ({"data": {"train": "a", "validation_size": 1}}, "data.validation_size: input should be less than 1; found 1"),
        ({"data": {"train": "a", "path": "p", "data_dir": "d"}},
         "data: path (a Hub dataset) and data_dir (a folder) cannot be combined; keep one of them"),
        ({"name": "a b"}, "name: string should match pattern '^[A-Za-z0-9][A-Za-z0-9._-]*$'; found \"a b\""),
        ({"name": 3}, 'name: input should be a valid string; found 3, write "3" in quotes'),
        ({"name": None}, "name: input should be a valid string; found nothing"),
        ({"training": {"output_dir": 5}}, 'training.output_dir: input should be a valid string; found 5, '
                                          'write "5" in quotes'),
        ({"training": {"output_dir": ["a"]}}, 'training.output_dir: input should be a valid string; found ["a"]'),
        ({"training": {"seed": 1.5}}, "training.seed: input should be a valid integer; found 1.5"),
        ({"training": {"hub_token": "hf_x"}},
         "training.hub_token: a token does not belong in a recipe; remove it, log in with: hf auth login"),
        ({"task": {"name": "text-classification", "class_weights": 3}},
         "task.class_weights: input should be 'balanced' or must be a section, with its keys indented below it; "
         "found 3"),
        ({"task": {"name": "text-classification", "class_weights": {"a": "x"}}},
         "task.class_weights.a: input should be a valid number; found \"x\""),
        ({"task": {"name": "text-classification", "problem_type": "regression", "labels": ["a", "b"]}},
         "task.labels: regression predicts a number and has no labels; remove them"),
        ({"task": {"name": "text-classification", "labels": ["good", "bad"], "class_weights": {"god": 2.0}}},
         'task.class_weights.god: not one of the labels; did you mean "good"?'),
        ({"task": {"name": "text-classification", "labels": ["a", "a"]}},
         "task.labels: a label is named twice; keep one of them"),
        ({"task": {"name": "text-classification", "class_weights": {"a": 0.0}}},
         "task.class_weights: weights must be above 0"),
        ({"task": {"name": "text-classification", "problem_type": "regression", "class_weights": "balanced"}},
         "task.class_weights: only single-label classification has class weights; remove them"),
        ({"task": {"name": "text-classification", "long_texts": "windows", "max_length": 64, "doc_stride": 62}},
         "task.doc_stride: windows of 64 tokens cannot overlap by 62; lower it"),
        ({"training": {"lr_scheduler_type": "liner"}},
         'training.lr_scheduler_type: there is no "liner"; did you mean "linear"?'),
        ({"training": {"optim": "adamw"}}, 'training.optim: there is no "adamw"; did you mean "adamw_torch"?'),
        ({"training": {"optim": "adamm"}}, 'training.optim: there is no "adamm"; did you mean "adamw_torch"?'),
        ({"training": {"optim": "rmsprob"}}, 'training.optim: there is no "rmsprob"; did you mean "rmsprop"?'),
        ({"training": {"save_strategy": "never"}},
         'training.save_strategy: there is no "never"; choose one of: no, steps, epoch, best'),
        ({"training": {"max_steps": -5}},
         "training.max_steps: must be 1 or more, or -1 for num_train_epochs; found -5"),
        ({"training": {"weight_decay": -0.1}}, "training.weight_decay: must be 0 or more; found -0.1"),
        ({"training": {"learning_rate": 50}},
         "training.learning_rate: 50 is far too high; usual values are from 1e-6 to 0.3, e.g. 2e-5"),
        ({"training": {"output_dir": ""}}, "training.output_dir: is empty; name a folder, or remove it"),
        ({"training": "learning_rate:3"}, 'training: a blank is missing after the colon; write "learning_rate: 3"'),
        ({"task": "translation"}, "task: must be a section; write task: {name: translation}"),
        ({"training": {"epochs": 3}}, 'training.epochs: unknown key; did you mean "num_train_epochs"?'),
        ({"data": {"train": "a", "kfold": 5}}, 'data.kfold: unknown key; did you mean "folds"?'),
        ({"folds": 5}, 'folds: unknown key; did you mean "data.folds"?'),
        ({"task": {"name": "text-classification", "focal_loss": 2}},
         'task.focal_loss: unknown key; did you mean "focal_gamma"?'),
        ({"epochs": 3}, 'epochs: unknown key; did you mean "training.num_train_epochs"?'),
        ({"learning_rate": 1}, 'learning_rate: unknown key; did you mean "training.learning_rate"?'),
        ({"method": {"name": "lora", "rank": 8}}, 'method.rank: unknown key; did you mean "r"?'),
        ({"method": {"name": "bitfit", "lora_alpha": 8}},
         "method.lora_alpha: unknown key; it needs method.name: lora"),
        ({"task": {"name": "summarization"}, "decoding": {"name": "beam", "num_samples": 8}},
         "decoding.num_samples: unknown key; it needs decoding.name: mbr"),
        ({"decoding": {"num_samples": 8}}, "decoding.name: missing; did you mean name: mbr?"),
        ({"early_stopping": {}, "training": {"eval_strategy": "no"}},
         'early_stopping: needs evaluations during training; set training.eval_strategy to "epoch" or "steps"'),
        ({"early_stopping": {}, "data": {"train": "a", "validation_size": 0}},
         "data.validation_size: the best checkpoint is chosen on a validation split; give a size above 0"),
    ],
)  # fmt: skip
def test_each_problem_says_where_what_and_how_to_correct_it(sections: dict[str, Any], text: str) -> None:
    assert problem(**sections) == f"recipe: {text}"


@pytest.mark.parametrize("keys", [{"deepspeed": "ds.json"}, {"push_to_hub": False}, {"eval_strategy": "steps"}])
def test_other_keys_of_transformers_pass(keys: dict[str, Any]) -> None:
    assert from_dict(VALUES | {"training": keys}).training.given() == keys


def test_slips_in_a_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TASKS_METRIC_CODE", raising=False)
    text = GOOD.replace("classification\n", "classification\n  metrics: [f1, acuracy]\n")
    text = (
        text.replace("train: train.csv", "train: ''").replace("path: m", "path: “m”")
        + "training:\n  metric_for_best_model: eval_f1_macr\n"
    )
    found = problems(write(text))
    assert len(found) == 4
    assert {
        "r.yaml:8: model.name_or_path: “m” has curly quotes, which are part of the value; write straight quotes or "
        "none",
        "r.yaml:6: data.train: the path is empty; name a file or a glob",
        'r.yaml:10: training.metric_for_best_model: there is no value "f1_macr"; did you mean "f1_macro"?',
    } < set(found)
    start = 'r.yaml:4: task.metrics.1: there is no metric "acuracy"; did you mean "accuracy"? (one of: accuracy, f1, '
    assert [line for line in found if line.startswith(start)]


def test_a_metric_of_another_task(write: Write) -> None:
    (found,) = problems(write(GOOD.replace("classification\n", "classification\n  metrics: [f1, squad]\n")))
    start = 'r.yaml:4: task.metrics.1: "squad" compares answers, which text-classification does not predict; '
    assert found.startswith(f"{start}choose from: accuracy, f1, ") and "bleu" not in found


def test_errors_while_a_recipe_is_used_name_its_lines(write: Write) -> None:
    path = write(GOOD + "training:\n  fp16: true\n")
    with pytest.raises(RecipeError) as e, located(path, ("training.seed=1",)):
        raise RecipeError("training.fp16: needs a GPU", "training.seed: bad", "other.key: no key of this file", "words")
    assert list(e.value.problems) == [
        "r.yaml:9: training.fp16: needs a GPU", "--set training.seed=1: training.seed: bad",
        "other.key: no key of this file", "words",
    ]  # fmt: skip
    assert str(e.value).startswith("r.yaml:9: training.fp16")


def test_long_values_are_shortened() -> None:
    text = problem(name=["x" * 200])
    assert text == f'recipe: name: input should be a valid string; found ["{"x" * 75}...'


def test_yaml_and_back() -> None:
    values = VALUES | {
        "task": {"name": "text-classification", "labels": ["no", "2", "é"], "class_weights": {"no": 2.0}},
        "training": {"learning_rate": 2e-5, "num_train_epochs": 3, "lr_scheduler_kwargs": {"a": 1}},
        "data": {"train": ["a.csv", "b.csv"], "columns": {"labels": ["x", "y"]}},
    }
    recipe = from_dict(values)
    text = to_yaml(recipe)
    assert yaml_file.parse(text, "again").values == values
    assert validate(yaml_file.parse(text, "again")) == recipe


def objects(schema: Any) -> list[dict[str, Any]]:
    """Every schema of an object with its own keys, in a schema."""
    below = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    here = [schema] if isinstance(schema, dict) and isinstance(schema.get("properties"), dict) else []
    return here + [found for value in below for found in objects(value)]


def test_the_schema_describes_our_sections_and_closes_every_one() -> None:
    schema = Recipe.model_json_schema()
    json.dumps(schema)
    assert schema["required"] == ["name", "task", "data", "model"]
    assert list(schema["properties"]) == [
        "name", "task", "data", "model", "method", "decoding", "training", "seeds", "early_stopping", "card", "hub",
        "sweep",
    ]  # fmt: skip
    assert all("description" in value for value in schema["properties"].values())
    closed = objects(schema)
    assert len(closed) >= 7
    assert [found["title"] for found in closed if found.get("additionalProperties") is not False] == []


def test_the_schema_knows_every_task_by_its_name() -> None:
    schema = Recipe.model_json_schema()
    mapping = schema["properties"]["task"]["discriminator"]["mapping"]
    assert {"text-classification", "token-classification", "question-answering"} <= mapping.keys()
    section = schema["$defs"][mapping["text-classification"].rpartition("/")[2]]
    assert section["required"] == ["name"]
    assert section["properties"]["max_length"]["minimum"] == 8


def test_the_schema_describes_every_key_of_ours() -> None:
    sections = {name: found for name, found in Recipe.model_json_schema()["$defs"].items() if "properties" in found}
    undescribed = {
        key
        for name, section in sections.items()
        if name != "Training" and not name.startswith("Peft_")  # sections of other libraries, under their own keys
        for key, value in section["properties"].items()
        if "description" not in value
    }
    assert undescribed == {"name"}, "the constant name of a task or method explains itself"
