"""Which files of a run are staged, and what is taken out of them."""

import hashlib
import html
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hf_tasks.core.errors import RunError
from hf_tasks.publish import redact
from hf_tasks.publish.card import markdown
from hf_tasks.publish.hub.files import ALLOWED, is_one_of, stage
from hf_tasks.publish.redact import short
from hf_tasks.runs import manifest

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
COUNTS = {"examples": 2, "features": 2, "dropped": 0, "tokens_cut": 0}
FILES = {"/home/ann/a/rows.csv": "11", "/home/ann/b/rows.csv": "22", "org/set@main": "33"}
RESULTS = {
    "test": {"per_class": {"/location/city": {"f1": 0.5}}, "n": 2},
    "data": {"train": COUNTS | {"files": FILES}},
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
        "data": {"train": COUNTS | {"files": {".../rows.csv": "11", ".../rows.csv (1)": "22", "org/set@main": "33"}}},
    }
    assert json.loads(files["environment.json"]) == {"recipe_folder": None, "packages": {"torch": "2"}}
    assert json.loads(files["config.json"]) == {"_name_or_path": ".../my-bert", "id2label": {"0": "/location/city"}}
    assert json.loads(files["tokenizer_config.json"]) == {"name_or_path": ".../my-bert", "bos_token": "/s/b/"}
    assert files["README.md"] == b'# x\n\nFrom .../my-bert and .../rows.csv, in runs/x: load_run("org/model")\n'
    vocabulary = files.pop("tokenizer.json")
    assert json.loads(vocabulary) == {"model": {"vocab": {"/home/ann": 1}}}
    assert not any(b"ann" in content for content in files.values())


def test_the_manifest_is_that_of_the_files_as_they_go_up(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    (run / "predictions").mkdir()
    (run / "predictions" / "test.jsonl").write_text("{}")
    manifest.write(run)
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    for name, content in staged(run).items():
        (fetched / name).write_bytes(content)
    assert (fetched / "recipe.yaml").read_bytes() != (run / "recipe.yaml").read_bytes()
    assert (manifest.check(run), manifest.check(fetched)) == (8, 7)
    assert manifest.check(fetched, thorough=True) == 7
    (fetched / "README.md").write_text("edited on the Hub")
    assert manifest.check(fetched) == 7
    (fetched / "config.json").write_text("{}")
    with pytest.raises(RunError, match="config.json has 2 bytes instead of "):
        manifest.check(fetched)


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


SECRETS = {
    TOKEN: "a Hugging Face token",
    "hf_oauth_" + "aB3" * 9: "a Hugging Face token",
    "AKIA" + "ABCD2345" * 2: "an AWS key",
    "aws_secret_access_key = " + "aB3/" * 10: "an AWS key",
    "sk-" + "aB3" * 16: "an API key",
    "sk-proj-" + "aB-_" * 9: "an API key",
    "sk-ant-api03-" + "aB3" * 16: "an API key",
    "ghp_" + "aB3" * 12: "a GitHub token",
    "github_pat_" + "aB3_" * 10: "a GitHub token",
    "WANDB_API_KEY=" + "0af3" * 10: "a Weights & Biases key",
    "-----BEGIN RSA PRIVATE KEY-----": "a private key",
    "https://ann:pa55@host.example/x": "a password in a URL",
}


@pytest.mark.parametrize("name", ["README.md", "recipe.yaml", "tokenizer.json", "predictions/test.jsonl"])
def test_a_secret_stays_here(tmp_path: Path, name: str) -> None:
    run = write(tmp_path / "run", recipe="model: {name_or_path: x}\n")
    (run / "predictions").mkdir()
    (run / name).write_text('{"model": {"name_or_path": "x"},\n"text": "' + TOKEN + '"}')
    with pytest.raises(RunError) as e:
        stage(run, NAME, predictions=True)
    assert str(e.value) == (
        f"{run / name}:2: contains a Hugging Face token; remove it, revoke it at its issuer, then push again"
    )


@pytest.mark.parametrize(("secret", "kind"), SECRETS.items(), ids=[*map(str, range(len(SECRETS)))])
def test_one_list_of_secrets_for_the_push_the_card_and_the_recipe(tmp_path: Path, secret: str, kind: str) -> None:
    run = write(tmp_path / "run", README=f"# x\n\nA {secret}, and\n{secret}\n")
    with pytest.raises(RunError) as e:
        stage(run, NAME)
    remedy = "remove it, revoke it at its issuer, then push again"
    assert e.value.problems == tuple(f"{run / 'README.md'}:{line}: contains {kind}; {remedy}" for line in (3, 4))
    hidden = redact.redacted(f"A {secret}.")
    assert secret not in hidden and "***" in hidden
    for shown in (markdown.value(secret), markdown.code(secret), markdown.fence(secret), markdown.literal([secret])):
        assert secret not in html.unescape(shown.replace("\\", "")) and "***" in shown.replace("\\", "")


def test_what_looks_like_a_secret_only_at_first_sight(tmp_path: Path) -> None:
    card = (
        '# x\n\n"://":1358,"@":7 https://example.org/a:b@c ask-a-question-about-anything-at-all hf_tasks-and-hf_hub\n'
        "0123456789abcdef0123456789abcdef01234567 sk-learn-based-classifier-of-questions\n"
    )
    assert staged(write(tmp_path / "run", README=card))["README.md"] == card.encode()


def test_values_of_secret_keys_are_hidden(tmp_path: Path) -> None:
    recipe = "model: {name_or_path: x}\ntraining: {hub_token: hunter2, learning_rate: 0.1}\n"
    found = yaml.safe_load(staged(write(tmp_path / "run", recipe=recipe))["recipe.yaml"])
    assert found["training"] == {"hub_token": "***", "learning_rate": 0.1}


def test_a_part_of_a_model_needs_its_base(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    (run / "model.safetensors").rename(run / "adapter_model.safetensors")
    (run / "adapter_config.json").write_text('{"base_model_name_or_path": "/opt/site-packages/x/base", "r": 8}')
    with pytest.raises(RunError) as e:
        stage(run, NAME)
    assert str(e.value) == (
        f"{run}: it contains only the trained parameters, and its base checkpoint /home/ann/models/my-bert is not on "
        "the Hub; train it from a Hub id, or set card.base_model in the recipe to the Hub id of the same checkpoint"
    )
    (run / "recipe.yaml").write_text("model: {name_or_path: package:x}\n")
    with pytest.raises(RunError, match="and its base checkpoint package:x is not on the Hub"):
        stage(run, NAME)
    (run / "recipe.yaml").write_text("model: {name_or_path: package:x}\ncard: {base_model: org/x}\n")
    files = staged(run)
    assert json.loads(files["adapter_config.json"]) == {"base_model_name_or_path": "org/x", "r": 8}
    assert yaml.safe_load(files["recipe.yaml"])["model"] == {"name_or_path": "org/x"}


def test_a_model_from_scratch_has_no_base(tmp_path: Path) -> None:
    recipe = "model: {config: {model_type: bert}}\n"
    assert staged(write(tmp_path / "run", recipe=recipe))["recipe.yaml"] == recipe.encode()


@pytest.mark.parametrize(
    ("missing", "text"),
    [
        ("recipe.yaml", "there is no run (no recipe.yaml); give the directory that `train` wrote"),
        ("README.md", "there is no card; write it with: hf-tasks card {run} --write"),
        ("results.json", "this training did not finish: weights or results.json are missing; train it again"),
        ("model.safetensors", "this training did not finish: weights or results.json are missing; train it again"),
    ],
)
def test_a_run_that_is_not_whole(tmp_path: Path, missing: str, text: str) -> None:
    run = write(tmp_path / "run")
    (run / missing).unlink()
    with pytest.raises(RunError) as e:
        stage(run, NAME)
    assert str(e.value) == f"{run}: {text.format(run=run)}"


def test_a_broken_file(tmp_path: Path) -> None:
    run = write(tmp_path / "run", results="{")
    with pytest.raises(RunError) as e:
        stage(run, NAME)
    assert str(e.value) == f"{run}/results.json: the file is damaged and the run incomplete; train it again"


@pytest.mark.parametrize(
    ("text", "last"),
    {
        "/a/b": ".../b", "~/x/y.csv": ".../y.csv", "C:\\a\\b.csv": ".../b.csv", ".../b.csv": ".../b.csv", "a/b": "a/b",
        "/": "/", "": "", "../b": "../b", "hf://x/y": "hf://x/y",
    }.items(),
)  # fmt: skip
def test_short(text: str, last: str) -> None:
    assert short(text) == last
