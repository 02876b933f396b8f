"""Runs of the Hub, fetched by the real client from a Hub on loopback; and what does not arrive."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Tiny
from hub_server import FINE, WRITER, Hub

from hf_tasks.core.errors import RunError
from hf_tasks.publish.hub.fetch import fetch, folder_of

NAME = "org/model"
WANTED = {
    "README.md": b"# x\n", "config.json": b"{}", "model.safetensors": bytes(range(256)) * 1000,
    "pictures/curve.svg": b"<svg/>", "recipe.yaml": b"name: x\n",
}  # fmt: skip
UNWANTED = {
    "pytorch_model.bin": b"x", "training_args.bin": b"x", "modeling_x.py": b"x", "predictions/test.jsonl": b"{}\n",
    "onnx/config.json": b"{}",
}  # fmt: skip


@pytest.fixture
def run(hub: Hub) -> Hub:
    """The Hub, with a private run."""
    repository = hub.add(NAME, WANTED | UNWANTED, private=True)
    repository.tags["v1"] = repository.branches["main"]
    repository.commit("main", "another card", repository.files() | {"README.md": repository.files()["recipe.yaml"]})
    return hub


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_what_belongs_to_a_run_is_fetched(run: Hub) -> None:
    assert contents(fetch(NAME)) == WANTED | {"README.md": b"name: x\n"}
    assert contents(fetch(NAME, "v1")) == WANTED
    assert contents(folder_of("org/model@v1")) == WANTED
    assert run.leaks == []
    assert run.pauses == []


def test_the_cache_serves_without_a_network(run: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch(NAME)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert fetch(NAME) == folder
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    run.server.shutdown()
    run.server.server_close()
    assert fetch(NAME) == folder
    assert run.pauses == []


NOT_HERE = " (no such folder, so it was looked up on the Hub)"


def message(name: str = NAME, revision: str | None = None) -> str:
    with pytest.raises(RunError) as e:
        fetch(name, revision)
    assert len(e.value.problems) == 1
    assert "\n" not in str(e.value)
    assert WRITER not in str(e.value)
    return str(e.value)


def test_what_cannot_be_had(run: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = "the repository does not exist, or you may not read it; check the name, or log in with: hf auth login"
    assert message("org/nothing") == f"org/nothing{NOT_HERE}: {nothing}"
    assert message(revision="v9") == (
        f"org/model@v9{NOT_HERE}: the repository has no such revision; name one of its branches, tags or commits"
    )
    monkeypatch.setenv("HF_TOKEN", FINE)
    assert message() == f"org/model{NOT_HERE}: {nothing}"
    monkeypatch.delenv("HF_TOKEN")
    assert message() == f"org/model{NOT_HERE}: {nothing}"
    run.fail("info", status=403, headers={"X-Error-Code": "GatedRepo"})
    assert message() == (
        f"org/model{NOT_HERE}: the repository is gated; request access on its page, then log in with: hf auth login"
    )


@pytest.mark.parametrize("route", ["info", "tree", "resolve"])
def test_what_may_not_be_read(run: Hub, route: str) -> None:
    said = "" if route == "resolve" else ": injected"  # the answer to HEAD has no body
    run.fail(route, status=403, last=99)
    assert message() == (
        f"org/model{NOT_HERE}: you may not read it{said}; ask its owner for access, or log in as another user: "
        "hf auth login"
    )


def test_no_network_and_nothing_cached(run: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    run.server.shutdown()
    run.server.server_close()
    assert (
        message() == f"org/model{NOT_HERE}: {run.url} does not answer (ConnectError); check the network, then try again"
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert message() == f"org/model{NOT_HERE}: HF_HUB_OFFLINE is set, so the Hub cannot be used; unset it"
    assert run.pauses == []


def test_an_expired_token(run: Hub) -> None:
    run.fail("info", status=401, headers={"X-Error-Message": "Invalid credentials in Authorization header"})
    assert message().startswith(f"org/model{NOT_HERE}: the Hub rejects your token: it is wrong or has expired; create ")


@pytest.mark.parametrize("route", ["info", "tree", "resolve", "blob"])
@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"cut": True}, {"status": 429, "headers": {"Retry-After": "3"}}], ids=str
)
def test_what_passes_is_tried_again(run: Hub, route: str, fault: dict[str, object]) -> None:
    run.fail(route, **fault)
    assert contents(fetch(NAME, "v1")) == WANTED


def test_damage_on_the_way_is_noticed(run: Hub) -> None:
    run.damage = lambda content: b"\1" + content[1:]
    assert message() == "org/model: model.safetensors was damaged during the download and has been removed; try again"
    run.damage = lambda content: content
    assert (fetch(NAME) / "model.safetensors").read_bytes() == WANTED["model.safetensors"]


def test_damage_in_the_cache_is_noticed(run: Hub) -> None:
    weights = fetch(NAME) / "model.safetensors"
    weights.resolve().write_bytes(b"\0" * len(WANTED["model.safetensors"]))
    assert message() == "org/model: model.safetensors was damaged during the download and has been removed; try again"
    assert weights == fetch(NAME) / "model.safetensors"
    assert weights.read_bytes() == WANTED["model.safetensors"]


@pytest.mark.parametrize(
    "name", ["pictures/../../../../evil.png", "/tmp/pictures/evil.png", "pictures/..\\..\\evil.png"]
)
def test_a_name_cannot_lead_out_of_the_folder(run: Hub, tmp_path: Path, name: str) -> None:
    files = run.repositories[NAME].commits[-1][2]
    files[name] = files["config.json"]
    try:
        folder = fetch(NAME)
    except RunError:
        folder = tmp_path / "hub_cache"
    found = list(tmp_path.rglob("*evil*"))
    assert all(path.resolve().is_relative_to(tmp_path / "hub_cache") for path in found)
    assert not Path("/tmp/pictures/evil.png").exists()
    assert all(path.resolve().is_relative_to(tmp_path / "hub_cache") for path in folder.rglob("*"))


def test_not_a_run(hub: Hub) -> None:
    hub.add("org/other", {"config.json": b"{}"})
    assert message("org/other") == (
        "org/other: is not a run of hf_tasks (it has no recipe.yaml); name another repository or a directory"
    )


def test_what_is_here_is_not_looked_for_there(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "intent").mkdir(parents=True)
    for place in ("runs/intent", "runs/itnent", "./a", "../a", "/a/b", "a", "a/b/c", "a b/c", str(tmp_path)):
        assert folder_of(place) == Path(place)
    assert hub.requests == []
    hub.add("runs/intent", WANTED)
    assert contents(folder_of("runs/intent@main")) == WANTED


def test_there_and_back(hub: Hub, tiny: Tiny, tmp_path: Path) -> None:
    """In a process of its own, as users have it: train on a data set of the Hub, push at the end; load again by
    transformers, from Python and from the command line. The others are the trained parameters and an adapter of a base
    that is there, the latter loaded by PEFT too."""
    rows = [{"text": f"a {('good', 'bad')[i % 2]} film {i}", "label": ("good", "bad")[i % 2]} for i in range(24)]
    hub.add("org/rows", {"train.jsonl": b"".join(json.dumps(row).encode() + b"\n" for row in rows)}, private=True)
    base = tiny("bert")
    hub.add("org/base", {path.name: path.read_bytes() for path in base.iterdir()}, private=True)
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"} | {
        "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }  # fmt: skip
    script = Path(__file__).with_name("there_and_back.py")
    done = subprocess.run(
        [sys.executable, script, str(base)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("rows") == rows
    assert found == dict.fromkeys(
        (
            "logits",
            "predictions",
            "command line",
            "part",
            "adapter",
            "card",
            "labels",
            "architecture",
            "pinned",
            "peft",
        ),
        True,
    )
    assert f"pushed to {hub.url}/org/full/tree/v1" in done.stderr
    assert hub.leaks == []
    assert WRITER not in done.stderr + done.stdout
    sent = {name: hub.repositories[name].files() for name in ("org/full", "org/part", "org/lora")}
    assert "trained.safetensors" in sent["org/part"]
    assert "model.safetensors" not in sent["org/part"].keys() | sent["org/lora"].keys()
    assert json.loads(sent["org/lora"]["adapter_config.json"].content)["base_model_name_or_path"] == "org/base"
    for files in sent.values():
        for path, entry in files.items():
            assert WRITER.encode() not in entry.content
            assert str(tmp_path).encode() not in entry.content, path
            assert str(base).encode() not in entry.content, path
