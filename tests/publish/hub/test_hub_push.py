"""Pushing, by the real client to a Hub on loopback: what arrives, what is said, and what each fault leads to."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from hub_server import FINE, OTHER, READER, TOKENS, WRITER, Hub
from safetensors.torch import save_file

from hf_tasks.core.errors import RunError
from hf_tasks.core.signals import Interrupted, stop_on_signal
from hf_tasks.publish.hub import client
from hf_tasks.publish.hub.push import check, push, push_recipe
from hf_tasks.recipe.sections import Hub as Section

# huggingface_hub sends files by httpx's old keyword `data`
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

NAME = "org/model"
RECIPE = """name: x
task: {name: text-classification, labels: [a, b]}
data: {train: train.csv}
model: {name_or_path: org/base}
"""
FILES = {
    "README.md": b"---\nlibrary_name: transformers\n---\n# x\n",
    "config.json": b"{}",
    "environment.json": b'{"packages": {"hf_tasks": "0"}, "recipe_folder": null}',
    "train_stats.json": b"{}",
    "model.safetensors": bytes(range(256)) * 1000,
    "recipe.yaml": RECIPE.encode(),
    "results.json": b"{}",
    "tokenizer.json": b"{}",
    "training_log.jsonl": b"{}\n",
}
NOT_SENT = {
    "training_args.bin": b"x", "optimizer.pt": b"x", ".env": b"HF_TOKEN=x", "checkpoints/model.safetensors": b"x",
    "predictions/test.jsonl": b"{}\n", "notes.txt": b"x", "model.pkl": b"x", "handler.py": b"x",
}  # fmt: skip
SHA256 = hashlib.sha256(FILES["model.safetensors"]).hexdigest()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that has all files, of no meaning; its card is not checked."""
    monkeypatch.setattr("hf_tasks.publish.hub.push.check_card", lambda *args: None)
    folder = tmp_path / "run"
    for name, content in (FILES | NOT_SENT).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def held(hub: Hub, revision: str = "main", name: str = NAME) -> dict[str, bytes]:
    files = hub.repositories[name].files(revision)
    return {path: entry.content for path, entry in files.items() if path != ".gitattributes"}


def titles(hub: Hub, name: str = NAME) -> list[str]:
    return [title for _, title, _ in hub.repositories[name].commits]


# -- what arrives


def test_one_commit_in_a_private_repository(hub: Hub, run: Path) -> None:
    pushed = push(run, NAME)
    assert held(hub) == FILES
    assert titles(hub) == ["initial commit", "Upload model with hf_tasks"]
    assert hub.repositories[NAME].private
    assert (pushed.url, pushed.commit) == (f"{hub.url}/{NAME}", hub.repositories[NAME].branches["main"])
    assert pushed.files == {name: len(content) for name, content in FILES.items()}
    assert pushed.bytes == sum(map(len, FILES.values()))
    assert hub.leaks == []
    assert hub.pauses == []


def test_public_and_predictions_on_demand(hub: Hub, run: Path) -> None:
    push(run, NAME, private=False, predictions=True)
    assert not hub.repositories[NAME].private
    assert held(hub) == FILES | {"predictions/test.jsonl": b"{}\n"}


def test_again_makes_no_commit(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = push(run, NAME)
    requests = len(hub.requests)
    monkeypatch.setattr("hf_tasks.publish.hub.push.check_card", None)
    assert push(run, NAME) == first
    assert len(hub.repositories[NAME].commits) == 2
    assert {"commit", "put", "create", "batch"}.isdisjoint(route for route, _ in hub.requests[requests:])


def test_an_existing_repository_is_updated_on_demand(hub: Hub, run: Path) -> None:
    push(run, NAME)
    (run / "results.json").write_text('{"n": 2}')
    with pytest.raises(RunError) as e:
        push(run, NAME)
    assert str(e.value) == (
        "org/model: exists and contains other files; choose another name, or add "
        "--update (hub.update: true in the recipe)"
    )
    assert len(hub.repositories[NAME].commits) == 2
    push(run, NAME, update=True)
    assert held(hub) == FILES | {"results.json": b'{"n": 2}'}
    assert hub.count("put") == 1


def test_an_update_removes_what_the_run_no_longer_has(hub: Hub, run: Path) -> None:
    hub.add(NAME, {"adapter_model.safetensors": b"old", "LICENSE": b"mine", "predictions/a.jsonl": b"x"}, private=True)
    push(run, NAME, update=True)
    assert held(hub) == FILES | {"LICENSE": b"mine"}


def test_a_dry_run_asks_nobody(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    pushed = push(run, NAME, dry_run=True)
    assert pushed.files == {name: len(content) for name, content in FILES.items()}
    assert pushed.commit is None
    assert hub.requests == []


def test_branch_and_tag(hub: Hub, run: Path) -> None:
    base = hub.add(NAME, {}, private=True).branches["main"]
    pushed = push(run, NAME, revision="next", tag="v1")
    repository = hub.repositories[NAME]
    assert held(hub, "next") == FILES
    assert repository.branches == {"main": base, "next": pushed.commit}
    assert repository.tags == {"v1": pushed.commit}
    assert pushed.url == f"{hub.url}/{NAME}/tree/v1"
    assert push(run, NAME, revision="next", tag="v1") == pushed


def test_a_tag_is_not_moved(hub: Hub, run: Path) -> None:
    push(run, NAME, tag="v1")
    (run / "results.json").write_text("{ }")
    with pytest.raises(RunError) as e:
        push(run, NAME, update=True, tag="v1")
    assert str(e.value) == "org/model: the tag v1 is taken by another commit; choose another tag"
    assert held(hub) == FILES


def test_a_card_that_is_not_true_is_not_pushed(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check_card(path: Path, run_snippets: bool) -> None:
        raise RunError(f"{path / 'README.md'}: the snippet does not run", "another")

    monkeypatch.setattr("hf_tasks.publish.hub.push.check_card", check_card)
    with pytest.raises(RunError) as e:
        push(run, NAME)
    assert e.value.problems == (f"{run}/README.md: the snippet does not run", "another")
    assert hub.repositories == {}


# -- who may


def message(run: Path, name: str = NAME, **options: object) -> str:
    """What a push that must fail says; the run stays as it is."""
    before = contents(run)
    with pytest.raises(RunError) as e:
        push(run, name, **options)  # type: ignore[arg-type]
    assert contents(run) == before
    assert len(e.value.problems) == 1
    assert "\n" not in str(e.value)
    assert not any(token in str(e.value) for token in TOKENS)
    return str(e.value)


def test_not_logged_in(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert message(run) == "org/model: you are not logged in to the Hub; run: hf auth login, or set HF_TOKEN"


def test_an_expired_token(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 24)
    expired = (
        "org/model: the Hub rejects your token: it is wrong or has expired; "
        "create another, then run: hf auth login --force, or set HF_TOKEN"
    )
    assert message(run) == expired


def test_a_token_that_expires_on_the_way(hub: Hub, run: Path) -> None:
    hub.fail("preupload", status=401, headers={"X-Error-Message": "Invalid credentials in Authorization header"})
    assert message(run).startswith("org/model: the Hub rejects your token: it is wrong or has expired;")
    push(run, NAME)
    assert held(hub) == FILES


def test_no_permission_to_write(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", READER)
    assert message(run) == (
        "org/model: your token may only read; create one with write permission, then run: hf auth login"
    )
    monkeypatch.setenv("HF_TOKEN", OTHER)
    assert message(run) == "org/model: you may not write in org, you have the role read; ask its owner"
    monkeypatch.setenv("HF_TOKEN", FINE)
    assert message(run) == (
        "org/model: you have no permission: You don't have the rights to create a model under org; "
        "use a token with write permission, or another name"
    )
    assert "org/model" not in hub.repositories


def test_a_repository_that_others_may_write(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add(NAME, {})
    monkeypatch.setenv("HF_TOKEN", FINE)
    assert message(run, private=False) == (
        "org/model: you have no permission: You don't have write access; "
        "use a token with write permission, or another name"
    )


def test_a_namespace_of_others(hub: Hub, run: Path) -> None:
    assert message(run, "ogr/model") == (
        'ogr/model: ogr is neither you nor an organization of yours; did you mean "org"? (one of: ann, org); '
        "choose one of them"
    )


def test_a_name_that_is_taken_out_of_sight(hub: Hub, run: Path) -> None:
    hub.add(NAME, {}, private=True)
    hub.fail("info", status=404, headers={"X-Error-Code": "RepoNotFound"}, last=2)
    assert message(run) == "org/model: a repository of this name exists, but you may not read it; choose another name"


def test_nothing_private_into_a_public_repository(hub: Hub, run: Path) -> None:
    hub.add(NAME, {})
    assert message(run, update=True) == (
        "org/model: is public; add --public (hub.private: false in the recipe) to push there"
    )


@pytest.mark.parametrize("name", ["model", "org/", "org/my model", "a/b/c", "org/-x", "org/a--b", "org/x.git", "../x"])
def test_a_wrong_name(run: Path, name: str) -> None:
    assert message(run, name) == (
        f'"{name}" is not a valid repository name; write ORG/NAME with letters, digits, dots, dashes, '
        "underscores, no two dots or dashes in a row"
    )


def test_no_network(hub: Hub, run: Path) -> None:
    hub.server.shutdown()
    hub.server.server_close()
    assert message(run) == (f"org/model: {hub.url} does not answer (ConnectError); check the network, then try again")
    assert hub.pauses == []


def test_offline_mode(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert message(run) == "org/model: HF_HUB_OFFLINE is set, so the Hub cannot be used; unset it"


def test_a_card_that_the_hub_refuses(hub: Hub, run: Path) -> None:
    (run / "README.md").write_text("---\npipeline_tag: [\n---\n")
    assert message(run) == (
        "org/model: the metadata of README.md is not valid: bad indentation; correct it, then push again"
    )


# -- faults

BUSY = {"status": 503}
SLOW_DOWN = {"status": 429, "headers": {"Retry-After": "7"}}
PROXY = {"status": 502, "body": b"<html>Bad gateway</html>", "headers": {"Content-Type": "text/html"}}
PASSING = [
    *[(route, BUSY) for route in ("whoami", "info", "create", "auth", "refs", "tree", "yaml", "preupload", "batch")],
    *[(route, BUSY) for route in ("put", "commit", "branch", "tag")],
    *[(route, {"cut": True}) for route in ("whoami", "create", "yaml", "preupload", "batch", "put", "commit", "tag")],
    *[(route, {"lose": True}) for route in ("create", "put", "commit", "branch", "tag")],
    *[(route, SLOW_DOWN) for route in ("whoami", "create", "commit", "put")],
    *[(route, PROXY) for route in ("whoami", "yaml", "commit")],
    ("put", {"status": 403}), ("commit", {"status": 409}), ("commit", BUSY | {"last": 3}),
]  # fmt: skip


@pytest.mark.parametrize(("route", "fault"), PASSING, ids=lambda value: str(value)[:40])
def test_what_passes_is_tried_again(hub: Hub, run: Path, route: str, fault: dict[str, object]) -> None:
    hub.fail(route, **fault)
    pushed = push(run, NAME, revision="next", tag="v1")
    assert held(hub, "next") == FILES
    assert titles(hub) == ["initial commit", "Upload model with hf_tasks"]
    assert hub.repositories[NAME].tags == {"v1": pushed.commit}
    assert hub.repositories[NAME].branches["next"] == pushed.commit
    assert hub.pauses[:1] == {"create": [1.0], "commit": [1.0]}.get(route, hub.pauses[:1]) or "7" in str(fault)


def test_the_hub_says_how_long_to_wait(
    hub: Hub, run: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.fail("commit", **SLOW_DOWN)
    hub.fail("commit", status=429, headers={"ratelimit": '"api";r=0;t=55'}, first=2, last=2)
    push(run, NAME)
    assert hub.pauses == [7.0, 55.0]
    assert capfd.readouterr().err.splitlines() == [
        "too many requests (429): injected; trying again in 7 s",
        "too many requests (429): injected; trying again in 55 s",
    ]


def test_a_wait_of_an_hour_is_the_users(hub: Hub, run: Path) -> None:
    hub.fail("create", status=429, headers={"Retry-After": "3600"})
    assert message(run) == "org/model: too many requests (429): injected; try again later"
    assert hub.pauses == []


def test_trouble_that_lasts(hub: Hub, run: Path) -> None:
    hub.fail("commit", status=500, last=99)
    assert message(run) == "org/model: the Hub has a problem (500): injected; try again later"
    assert hub.pauses == list(client.WAITS)
    assert titles(hub) == ["initial commit"]
    hub.faults.clear()
    push(run, NAME)
    assert held(hub) == FILES
    assert hub.count("put") == 1


def test_trouble_is_said_in_one_line(hub: Hub, run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Not a line for every try of ours and of huggingface_hub's; nor the markup of a proxy's page."""
    hub.fail("tree", **PROXY, last=999)
    assert message(run, update=True) == ("org/model: the Hub has a problem (502); try again later")
    said = "the Hub has a problem (502); trying again for up to 31 s"
    assert capfd.readouterr().err.splitlines() == [said]
    hub.faults.clear()
    hub.fail("info", status=200, body=b"<html>Log in</html>", headers={"Content-Type": "text/html"}, last=99)
    assert message(run, update=True) == (
        f"org/model: {hub.url} does not answer like the Hub; check HF_ENDPOINT and the proxy"
    )


def test_a_change_by_somebody_else(hub: Hub, run: Path) -> None:
    def change() -> None:
        repository = hub.repositories[NAME]
        repository.commit("main", "theirs", repository.files())

    hub.fail("commit", meanwhile=change)
    assert message(run) == "org/model: was changed by somebody else at the same time; check its files, then push again"
    assert titles(hub) == ["initial commit", "theirs"]


def test_a_blob_that_the_hub_holds_damaged(hub: Hub, run: Path) -> None:
    def listing(entries: list[dict[str, object]]) -> list[dict[str, object]]:
        return [
            entry | ({"lfs": {"oid": "0" * 64, "size": 256000, "pointerSize": 130}} if "lfs" in entry else {})
            for entry in entries
        ]

    hub.listing = listing
    assert message(run) == (
        "org/model: model.safetensors on the Hub differs from the file that was sent; push again with --update"
    )


def test_killed_amid_a_blob_then_again(hub: Hub, run: Path, tmp_path: Path) -> None:
    """The first blob has arrived when the process is killed within the second; only the second is sent again."""
    first, second = b"1" * 10_000, b"2" * 200_000
    (run / "model.safetensors").unlink()
    (run / "model-00001-of-00002.safetensors").write_bytes(first)
    (run / "model-00002-of-00002.safetensors").write_bytes(second)
    hub.blobs[hashlib.sha256(first).hexdigest()] = first
    hub.hold = threading.Event()
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1"}
    environment |= {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
    code = f"from hf_tasks.publish.hub import push; push.check_card = print; push.push({str(run)!r}, {NAME!r})"
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as process:
        arrived = hub.reached.wait(60)
        process.send_signal(signal.SIGKILL)
    assert (arrived, process.returncode) == (True, -signal.SIGKILL)
    hub.hold.set()
    hub.hold = None
    assert titles(hub) == ["initial commit"]
    before = len(hub.requests)
    push(run, NAME)
    assert [path for route, path in hub.requests[before:] if route == "put"] in (
        [f"/blobs/{hashlib.sha256(second).hexdigest()}"], [],
    )  # fmt: skip
    assert held(hub)["model-00001-of-00002.safetensors"] == first
    assert held(hub)["model-00002-of-00002.safetensors"] == second


@pytest.mark.parametrize("route", ["whoami", "preupload", "put", "commit"])
def test_a_signal_while_the_hub_is_slow_is_answered_at_once(hub: Hub, run: Path, route: str) -> None:
    """The Hub answers only once the client is gone; another push completes what was sent."""
    main, gone = threading.get_ident(), threading.Event()

    def slow() -> None:
        signal.pthread_kill(main, signal.SIGTERM)
        gone.wait(3)

    hub.fail(route, meanwhile=slow)
    begun = time.monotonic()
    with pytest.raises(Interrupted) as e, stop_on_signal():
        push(run, NAME)
    assert e.value.exit_code == 143
    assert time.monotonic() - begun < 5
    gone.set()
    push(run, NAME, update=True)
    assert held(hub) == FILES
    assert titles(hub)[-1] == "Upload model with hf_tasks"


def test_no_token_is_ever_shown(hub: Hub, run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    echo = json.dumps({"error": f"bad token {WRITER}"}).encode()
    hub.fail("commit", status=500, body=echo)
    hub.fail("commit", status=418, body=echo, first=2, last=2)
    text = message(run)
    assert text == "org/model: the Hub refused the request (418): bad token ***; correct it, then try again"
    assert "bad token ***;" in (said := capfd.readouterr().err)
    assert WRITER not in said
    assert all(WRITER.encode() not in content for content in held(hub).values())


def test_the_base_of_an_adapter_is_the_one_it_was_trained_on(hub: Hub, run: Path) -> None:
    (run / "model.safetensors").unlink()
    header = {"format": "pt", "base_sha256": SHA256}
    save_file({"a": torch.zeros(1)}, run / "adapter_model.safetensors", metadata=header)
    (run / "recipe.yaml").write_text(RECIPE.replace("org/base", "package:x") + "card: {base_model: org/base}\n")
    hub.add("org/base", {"model.safetensors": b"others"})
    assert message(run) == (
        "org/model: card.base_model: org/base on the Hub does not have the weights (model.safetensors) that this run "
        "was trained on; name the checkpoint that has them, or push that one first"
    )
    hub.add("org/base", {"model.safetensors": FILES["model.safetensors"]})
    push(run, NAME)
    assert b"name_or_path: org/base" in held(hub)["recipe.yaml"]


# -- from a recipe


def test_what_is_checked_before_training(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(Section(repo_id=NAME))
    assert "org/model" not in hub.repositories
    push(run, NAME)
    with pytest.raises(RunError, match=r"^org/model: exists and contains other files; choose another name, or add"):
        check(Section(repo_id=NAME))
    check(Section(repo_id=NAME, update=True))
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(RunError, match="^org/model: you are not logged in to the Hub"):
        check(Section(repo_id=NAME))


def test_a_failed_push_after_training_says_how_to_repeat_it(hub: Hub, run: Path) -> None:
    hub.fail("create", status=403)
    target = Section(repo_id=NAME, private=False, update=True, revision="next", tag="v1")
    with pytest.raises(RunError) as e:
        push_recipe(run, target)
    assert str(e.value) == (
        f"org/model: you have no permission: injected; use a token with write permission, or another name; the run is "
        f"complete, in {run}; to push it, run: hf-tasks push {run} org/model --public --update --revision next --tag v1"
    )
    assert push_recipe(run, target).url == f"{hub.url}/org/model/tree/v1"
