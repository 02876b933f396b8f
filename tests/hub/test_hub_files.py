"""Which files of a run are staged, and what is taken out of them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hf_tasks.errors import RunError
from hf_tasks.hub.files import ALLOWED, is_one_of, stage
from hf_tasks.hub.scrub import short

NAME = "org/model"
TOKEN = "hf_" + "aB3" * 12
RECIPE: dict[str, Any] = {
    "name": "x",
    "task": {"name": "text-classification", "labels": ["/location/city", "/person"]},
    "data": {"train": ["/home/ann/a/rows.csv", "data/more.csv"], "data_dir": "~/corpora"},
    "model": {"name_or_path": "/home/ann/models/my-bert"},
    "training": {"output_dir": "runs/x", "learning_rate": 2e-5},
}
CARD = '# x\n\nFrom /home/ann/models/my-bert and /home/ann/a/rows.csv, in runs/x: load_run("ORG/NAME")\n'
RESULTS = {
    "test": {"per_class": {"/location/city": {"f1": 0.5}}, "n": 2},
    "data": {"train": {"files": {"/home/ann/a/rows.csv": "11", "/home/ann/b/rows.csv": "22", "org/set@main": "33"}}},
}


def write(folder: Path, **contents: Any) -> Path:
    """A run; keywords are contents of files by their stem."""
    texts = {
        "recipe.yaml": yaml.safe_dump(RECIPE, sort_keys=False),
        "results.json": json.dumps(RESULTS),
        "environment.json": json.dumps({"recipe_folder": "/home/ann/recipes", "packages": {"torch": "2"}}),
        "config.json": json.dumps({"_name_or_path": "/home/ann/models/my-bert", "id2label": {"0": "/location/city"}}),
        "tokenizer_config.json": json.dumps({"name_or_path": "/home/ann/models/my-bert", "bos_token": "/s/b/"}),
        "tokenizer.json": json.dumps({"model": {"vocab": {"/home/ann": 1}}}),
        "README.md": CARD,
    }
    texts |= {name: contents[name.partition(".")[0]] for name in texts if name.partition(".")[0] in contents}
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"\0" * 100)
    return folder


def staged(run: Path) -> dict[str, bytes]:
    return {file.name: file.read() for file in stage(run, NAME)}


@pytest.mark.parametrize(
    ("name", "goes"),
    {
        "model.safetensors": True, "model-00001-of-00003.safetensors": True, "adapter_model.safetensors": True,
        "trained.safetensors": True, "pictures/curve.svg": True, "spiece.model": True, "README.md": True,
        "training_curve.png": True, "layer_weights.png": True,
        "training_args.bin": False, "model.bin": False, "a.pt": False, "a.pth": False, "a.pkl": False, ".env": False,
        "checkpoints/model.safetensors": False, "pictures/a/b.png": False, "../README.md": False, "x.py": False,
        "pictures/../../b.png": False, "predictions/test.jsonl": False, "modeling_x.py": False,
    }.items(),
)  # fmt: skip
def test_the_allow_list(name: str, goes: bool) -> None:
    assert is_one_of(name, ALLOWED) == goes


def test_paths_of_this_machine_stay_here(tmp_path: Path) -> None:
    files = staged(write(tmp_path / "run"))
    recipe = yaml.safe_load(files["recipe.yaml"])
    assert recipe == {
        "name": "x",
        "task": RECIPE["task"],
        "data": {"train": [".../rows.csv", "data/more.csv"], "data_dir": ".../corpora"},
        "model": {"name_or_path": ".../my-bert"},
        "training": {"learning_rate": 2e-5},
    }
    assert json.loads(files["results.json"]) == {
        "test": RESULTS["test"],
        "data": {"train": {"files": {".../rows.csv": "11", ".../rows.csv (1)": "22", "org/set@main": "33"}}},
    }
    assert json.loads(files["environment.json"]) == {"recipe_folder": None, "packages": {"torch": "2"}}
    assert json.loads(files["config.json"]) == {"_name_or_path": ".../my-bert", "id2label": {"0": "/location/city"}}
    assert json.loads(files["tokenizer_config.json"]) == {"name_or_path": ".../my-bert", "bos_token": "/s/b/"}
    assert files["README.md"] == b'# x\n\nFrom .../my-bert and .../rows.csv, in runs/x: load_run("org/model")\n'
    vocabulary = files.pop("tokenizer.json")
    assert json.loads(vocabulary) == {"model": {"vocab": {"/home/ann": 1}}}
    assert not any(b"ann" in content for content in files.values())


def test_the_run_is_only_read(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    before = {path: path.read_bytes() for path in run.iterdir()}
    stage(run, NAME)
    assert {path: path.read_bytes() for path in run.iterdir()} == before


def test_what_needs_no_change_is_the_file_itself(tmp_path: Path) -> None:
    run = write(tmp_path / "run", recipe="model: {name_or_path: org/base}\n")
    by_name = {file.name: file for file in stage(run, NAME)}
    assert by_name["recipe.yaml"].content == run / "recipe.yaml"
    weights = by_name["model.safetensors"]
    assert weights.content == run / "model.safetensors"
    assert (weights.size, weights.sha256) == (100, hashlib.sha256(b"\0" * 100).hexdigest())
    assert weights.git_sha1 == hashlib.sha1(b"blob 100\0" + b"\0" * 100).hexdigest()


@pytest.mark.parametrize("name", ["README.md", "recipe.yaml", "tokenizer.json", "predictions/test.jsonl"])
def test_a_token_stays_here(tmp_path: Path, name: str) -> None:
    run = write(tmp_path / "run", recipe="model: {name_or_path: x}\n")
    (run / "predictions").mkdir()
    (run / name).write_text('{"model": {"name_or_path": "x"},\n"text": "' + TOKEN + '"}')
    with pytest.raises(RunError) as e:
        stage(run, NAME, predictions=True)
    assert str(e.value) == f"{run / name}:2: holds an access token; remove it here, and withdraw it on the Hub"


def test_a_part_of_a_model_needs_its_base(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    (run / "model.safetensors").rename(run / "adapter_model.safetensors")
    (run / "adapter_config.json").write_text('{"base_model_name_or_path": "/opt/site-packages/x/base", "r": 8}')
    with pytest.raises(RunError) as e:
        stage(run, NAME)
    assert str(e.value) == (
        f"{run}: nobody could use it without its base checkpoint, the folder /home/ann/models/my-bert of this machine; "
        "train it from a Hub id, or push the base and name it in the recipe"
    )
    (run / "recipe.yaml").write_text("model: {name_or_path: package:x}\n")
    assert json.loads(staged(run)["adapter_config.json"]) == {"base_model_name_or_path": "package:x", "r": 8}


def test_a_model_from_scratch_has_no_base(tmp_path: Path) -> None:
    recipe = "model: {config: {model_type: bert}}\n"
    assert staged(write(tmp_path / "run", recipe=recipe))["recipe.yaml"] == recipe.encode()


@pytest.mark.parametrize(
    ("missing", "text"),
    [
        ("recipe.yaml", "no run is here (no recipe.yaml); give the directory that `train` wrote"),
        ("README.md", "this training did not finish, there is no model with its card; train it again"),
        ("results.json", "this training did not finish, there is no model with its card; train it again"),
        ("model.safetensors", "this training did not finish, there is no model with its card; train it again"),
    ],
)
def test_a_run_that_is_not_whole(tmp_path: Path, missing: str, text: str) -> None:
    run = write(tmp_path / "run")
    (run / missing).unlink()
    with pytest.raises(RunError) as e:
        stage(run, NAME)
    assert str(e.value) == f"{run}: {text}"


def test_a_broken_file(tmp_path: Path) -> None:
    run = write(tmp_path / "run", results="{")
    with pytest.raises(RunError) as e:
        stage(run, NAME)
    assert str(e.value) == f"{run}/results.json: the file is broken; the run is not whole, train it again"


@pytest.mark.parametrize(
    ("text", "last"),
    {
        "/a/b": ".../b", "~/x/y.csv": ".../y.csv", "C:\\a\\b.csv": ".../b.csv", ".../b.csv": ".../b.csv", "a/b": "a/b",
        "/": "/", "": "", "../b": "../b", "hf://x/y": "hf://x/y",
    }.items(),
)  # fmt: skip
def test_short(text: str, last: str) -> None:
    assert short(text) == last
