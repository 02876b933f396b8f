"""Runs, checkpoints and listings of the Hub that a stranger made: each is refused in one line, and nothing happens."""

import json
import math
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import Tiny
from hub_server import Hub

import hf_tasks
from hf_tasks.core.errors import RunError
from hf_tasks.methods.peft import load_adapter
from hf_tasks.models.load import load_model, load_tokenizer
from hf_tasks.models.section import Model
from hf_tasks.models.strange_files import check_adapter, check_config, check_weights
from hf_tasks.publish import card
from hf_tasks.publish.hub.fetch import fetch
from hf_tasks.publish.hub.files import is_one_of, stage
from hf_tasks.runs import json_files
from hf_tasks.runs.run import Run
from hf_tasks.tasks import TextClassification

RECIPE = """name: x
task: {name: text-classification, labels: [a, b], problem_type: single_label_classification, metrics: [accuracy]}
data: {train: train.csv}
model: {name_or_path: org/base}
"""
NAMES = "abcdefghijklmnopqrstuvwxyz"
LAUGHS = 'a: &a ["x", "x"]\n' + "".join(f"{new}: &{new} [*{old}, *{old}]\n" for old, new in pairwise(NAMES))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run without a model that works."""
    folder = tmp_path / "run"
    folder.mkdir()
    files = {"recipe.yaml": RECIPE, "README.md": "# x\n", "model.safetensors": "", "vocab.txt": "a\n"}
    values = dict.fromkeys(("environment.json", "train_stats.json", "config.json"), "{}")
    values["results.json"] = '{"seen": 1}'
    for name, text in (files | values).items():
        (folder / name).write_text(text)
    return folder


def message(call: Callable[[], Any]) -> str:
    with pytest.raises(RunError) as e:
        call()
    assert len(e.value.problems) == 1 and "\n" not in str(e.value)
    return str(e.value)


# -- links


@pytest.mark.parametrize("name", ["vocab.txt", "README.md", "model.safetensors", "results.json", "recipe.yaml"])
def test_a_link_out_of_the_run_is_not_pushed(run: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text((run / name).read_text())
    (run / name).unlink()
    (run / name).symlink_to("../secret")
    assert message(lambda: stage(run, "org/x")) == (
        f"{run / name}: is a link out of the run, to {tmp_path / 'secret'}; replace it by the file itself"
    )


def test_a_folder_that_is_a_link_is_not_pushed(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "training_curve.png").write_bytes(b"x")
    (run / "pictures").symlink_to("../out")
    assert "is a link out of the run" in message(lambda: stage(run, "org/x"))


def test_a_link_inside_the_run_is_pushed(run: Path) -> None:
    (run / "vocab.txt").rename(run / "words")
    (run / "vocab.txt").symlink_to("words")
    assert "vocab.txt" in [file.name for file in stage(run, "org/x")]


@pytest.mark.parametrize("name", ["README.md", "pictures"])
def test_a_card_is_not_written_behind_a_link(run: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (run / "README.md").unlink()
    (run / name).symlink_to(tmp_path / "out" / "README.md" if name == "README.md" else tmp_path / "out")
    strange = Run.load(run)
    assert "is a link out of the run" in message(lambda: card.write(strange))
    assert list((tmp_path / "out").iterdir()) == []


# -- recipes, cards and values


def test_a_recipe_that_unfolds_to_millions_of_values_is_not_pushed(run: Path) -> None:
    (run / "recipe.yaml").write_text(RECIPE + LAUGHS)
    assert message(lambda: stage(run, "org/x")) == (
        f"{run}/recipe.yaml: the file is damaged and the run incomplete; train it again"
    )


@pytest.mark.parametrize("name", ["results.json", "environment.json", "config.json"])
@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "1" * 5000, "\ufeff{"], ids=["nested", "list", "number", "mark"])
def test_json_that_is_not_that_of_a_run_is_not_pushed(run: Path, name: str, text: str) -> None:
    (run / name).write_text(text)
    assert message(lambda: stage(run, "org/x")) == (
        f"{run / name}: the file is damaged and the run incomplete; train it again"
    )


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ({"example": 1}, "example: must be a table of keys and values, found 1"),
        ({"example": {"input": {"text": 1}, "prediction": {}}},
         "example.input.text: must be a string or a list of strings, found 1"),
        ({"example": {"input": {}, "prediction": []}},
         "example.prediction: must be a table of keys and values, found a list"),
        ({"test": {"accuracy": 0.5}}, "test.n: is missing"),
        ({"test": None}, "test: must be a table of keys and values, found None"),
        ({"data": {"train": {"files": {}, "examples": True}}},
         "data.train.examples: input should be a valid integer, found True"),
        ({"training": {"steps": 10**30}},
         "training.steps: input should be less than or equal to 9007199254740992, found a huge number"),
        ({"curve": {"train": [[1, "a"]], "validation": []}}, "curve.train.0.1: must be a number, found 'a'"),
        ({"energy": {"from": "x", "watts": math.inf, "wh": 1}},
         "energy.watts: input should be a finite number, found inf"),
        ({"test": {"n": 1, "accuracy": 1, "intervals": {"accuracy": [1]}}},
         "test.intervals.accuracy: list should have at least 2 items after validation, not 1, found a list"),
        ({"test": {"n": 1, "accuracy": {"a": {"b": {"c": {"d": 1}}}}}},
         "test.accuracy: must be a number, a string, null, or a table of them, and not too large, found a dict"),
        ({"labels": {"train": {"x" * 20_000: 1}}}, f"labels.train.{'x' * 187}"),
    ],
)  # fmt: skip
def test_results_of_other_kinds_are_one_line(run: Path, results: dict[str, Any], said: str) -> None:
    """Whatever command loads the run, the push of it included."""
    (run / "results.json").write_text(json.dumps(results))
    for command in (lambda: Run.load(run), lambda: stage(run, "org/x")):
        assert message(command).startswith(f"{run}/results.json: {said}")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("environment.json", '{"packages": ["torch"]}', ": packages: must be a table of keys and values, found a list"),
        ("train_stats.json", '{"predictions": []}', ": predictions: extra inputs are not permitted, found a list"),
        ("training_log.jsonl", '{"step": 1}\n{"step": "2"}\n', ":2: step: input should be a valid integer, found '2'"),
        ("training_log.jsonl", '{"step": 1}\n\n', ":2: cannot be read: Expecting value: line 2 column 1 (char 1)"),
        ("predictions/test.jsonl", '{"tags": ["O", 1]}\n', ":1: tags.1: input should be a valid string, found 1"),
        ("status.json", '{"status": "done", "message": ""}', ": status: input should be 'running', 'interrupted', "),
        ("seeds.json", '{"seeds": []}', ": seeds: list should have at least 1 item after validation, not 0"),
    ],
)
def test_other_files_are_checked_where_they_are_read(run: Path, name: str, text: str, said: str) -> None:
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_text(text)
    read = json_files.read_rows if name.endswith(".jsonl") else json_files.read
    assert message(lambda: read(run / name)).startswith(f"{run / name}{said}")


def test_files_have_a_largest_size(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_files, "LARGEST_ROWS", 10)
    (run / "training_log.jsonl").write_text('{"loss": 1234567}\n')
    assert "cannot be read: has more than 10 bytes" in message(lambda: json_files.read_rows(run / "training_log.jsonl"))
    monkeypatch.setattr(json_files, "LARGEST_ROWS", 1000)
    monkeypatch.setattr(json_files, "LONGEST_LINE", 5)
    assert ":1: cannot be read" in message(lambda: json_files.read_rows(run / "training_log.jsonl"))


def test_metadata_of_a_card_that_cannot_be_read(run: Path) -> None:
    strange = Run.load(run)
    (run / "README.md").unlink()
    card.write(strange)
    text = (run / "README.md").read_text()
    (run / "README.md").write_text(text.replace("---\n", f"---\n{LAUGHS}", 1))
    assert message(lambda: card.text(strange)) == (
        f"{run}/README.md: its metadata cannot be read: not valid YAML: alias *a; correct it"
    )
    assert card.check(strange) == [f"{run}/README.md: the metadata are not valid: not valid YAML: alias *a"]
    (run / "README.md").write_bytes(b"x" * 2_000_000)
    assert "has more than 1,048,576 bytes" in message(lambda: card.text(strange))


def test_a_metric_of_a_run_runs_no_code(run: Path) -> None:
    (run / "recipe.yaml").write_text(RECIPE.replace("accuracy", str(run / "metric.py")))
    (run / "metric.py").write_text("raise SystemExit('code has run')")
    strange = Run.load(run)
    with pytest.raises(hf_tasks.core.errors.RecipeError, match="there is no metric"):
        hf_tasks.metrics.score(strange.recipe.task.metrics, [], [], {})


# -- checkpoints


def copied(tiny: Tiny, to: Path) -> Path:
    return Path(shutil.copytree(tiny("bert"), to))


TASK = TextClassification(name="text-classification", labels=("a", "b"), problem_type="single_label_classification")


@pytest.mark.parametrize(
    "name", ["../elsewhere.safetensors", "/tmp/x.safetensors", "weights.bin", "a/b.safetensors", 1]
)
def test_an_index_of_weights_stays_in_its_folder(tiny: Tiny, tmp_path: Path, name: Any) -> None:
    folder = copied(tiny, tmp_path / "model")
    (folder / "model.safetensors").rename(tmp_path / "elsewhere.safetensors")
    index = {"metadata": {}, "weight_map": {"embeddings.word_embeddings.weight": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    model = Model(name_or_path=str(folder))
    tokenizer = load_tokenizer(model, TASK)
    found = message(lambda: load_model(model, TASK, tokenizer))
    assert f"model.safetensors.index.json names {name!r}, which is not a .safetensors file in the same folder" in found


def test_an_index_of_shards_is_fine(tmp_path: Path) -> None:
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    check_weights(str(tmp_path))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("attn_implementation", "evil/kernel", "asks for the attention kernel 'evil/kernel', which is code of the Hub"),
        ("num_hidden_layers", 10**9, "gives num_hidden_layers as 1,000,000,000, and 1,000 is the most that is built"),
    ],
)
def test_a_configuration_asks_for_no_code_and_no_endless_model(
    tiny: Tiny, tmp_path: Path, key: str, value: Any, said: str
) -> None:
    folder = copied(tiny, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: value}))
    assert said in message(lambda: load_tokenizer(Model(name_or_path=str(folder)), TASK))
    check_config(config)


def test_an_adapter_names_no_module(tmp_path: Path) -> None:
    check_adapter({"peft_type": "LORA", "megatron_config": None, "megatron_core": "megatron.core"})
    values = {"peft_type": "LORA", "megatron_config": {"a": 1}, "megatron_core": "evil"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(values))
    assert "adapter_config.json asks for Megatron" in message(lambda: load_adapter(None, tmp_path))  # type: ignore[arg-type]


def test_a_vocabulary_is_read_from_its_own_folder(tiny: Tiny, tmp_path: Path) -> None:
    folder = copied(tiny, tmp_path / "model")
    (tmp_path / "secret").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nsecret\n")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    for key in ("vocab_file", "tokenizer_file"):
        (folder / "tokenizer_config.json").write_text(json.dumps(settings | {key: str(tmp_path / "secret")}))
        assert "secret" not in load_tokenizer(Model(name_or_path=str(folder)), TASK).get_vocab()


# -- the Hub


def test_names_of_a_listing_do_not_lead_out_of_the_cache(hub: Hub, tmp_path: Path) -> None:
    names = ["pictures/../../../../../../out.png", "model-/../../../../../out-of-1.safetensors", "../recipe.yaml"]
    hub.add("org/model", {"recipe.yaml": b"name: x\n", **dict.fromkeys(names, b"evil")}, private=True)
    try:
        folder = fetch("org/model")
    except RunError as e:
        assert len(e.problems) == 1
    else:
        assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["recipe.yaml"]
    assert [path for path in tmp_path.rglob("*out*") if path.name.startswith("out")] == []
    assert not any(is_one_of(name, hf_tasks.publish.hub.files.ALLOWED) for name in names)
