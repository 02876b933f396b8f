"""Serving: from this machine alone, to this machine alone; a Space's app.py in a process of its own."""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from hf_tasks.cli import app
from hf_tasks.core.errors import RunError
from hf_tasks.publish import demo
from hf_tasks.publish.demo import server, space
from hf_tasks.runs.run import Run

# gradio's queue uses what pandas 3 deprecates (`_get_df` in gradio/queueing.py)
pytestmark = pytest.mark.filterwarnings(
    "ignore:'future.no_silent_downcasting' is deprecated", "ignore:The copy keyword is deprecated"
)

Runs = Callable[[str], Run]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
POLICY = "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'"


def get(url: str) -> tuple[int, str, str | None]:
    """(status, text, policy) of an address."""
    try:
        with DIRECT.open(url, timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.headers["content-security-policy"]
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read().decode(), e.headers["content-security-policy"]


def asked(address: str, *values: Any) -> list[Any]:
    """What the page's function gives, by its interface for programs."""
    body = json.dumps({"data": values}).encode()
    request = urllib.request.Request(f"{address}gradio_api/call/predict", body, {"content-type": "application/json"})
    with DIRECT.open(request, timeout=30) as answer:
        event = json.load(answer)["event_id"]
    status, text, _ = get(f"{address}gradio_api/call/predict/{event}")
    assert (status, text.splitlines()[0]) == (200, "event: complete")
    return list(json.loads(text.splitlines()[1].removeprefix("data: ")))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The hosts whose addresses are looked up."""
    found: set[str] = set()
    look_up = socket.getaddrinfo

    def remembered(host: Any, *rest: Any, **more: Any) -> Any:
        found.add(str(host))
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", remembered)
    yield found


def test_a_page_is_served_from_this_machine_alone(runs: Runs, names: set[str], port: int) -> None:
    page = demo.page(runs("label"))
    address = server.launch(page, "127.0.0.1", port)
    try:
        assert address == f"http://127.0.0.1:{port}/"
        status, text, policy = get(address)
        assert (status, policy) == (200, POLICY)
        assert "fonts.googleapis.com" not in text + get(f"{address}theme.css")[1]
        assert get(f"{address}gradio_api/file={runs('label').path}/recipe.yaml")[0] == 403
        assert get(f"{address}gradio_api/file=/etc/hostname")[0] == 403
        label, probabilities = asked(address, "the film is good")[1:]
        expected = runs("label").predict(text="the film is good")
        assert label == f'<p class="result">{expected["label"]}</p>'
        found = {one["label"]: one["confidence"] for one in probabilities["confidences"]}
        assert found == pytest.approx(expected["probabilities"])
        with pytest.raises(RunError) as e:
            server.launch(demo.page(runs("label")), "127.0.0.1", port)
        assert str(e.value) == f"127.0.0.1:{port}: Address already in use; choose another --port or --host"
    finally:
        page.close(verbose=False)
    assert names <= {"127.0.0.1", "localhost", "None"}


def of(requires: list[str], origin: dict[str, Any] | None) -> Distribution:
    """hf_tasks as installed from somewhere."""

    class Installed(Distribution):
        version = "1.2"
        requires = property(lambda self: needed)  # type: ignore[assignment]

        def read_text(self, filename: str) -> str | None:
            assert filename == "direct_url.json"
            return json.dumps(origin) if origin else None

        def locate_file(self, path: Any) -> Any:
            raise NotImplementedError

    needed = requires
    return Installed()


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, space.Needs(["hf_tasks[demo]==1.2"], copied=False)),
        (
            {"url": "https://example.org/x.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            space.Needs(["hf_tasks[demo] @ git+https://example.org/x.git@abc"], copied=False),
        ),
        ({"url": "file:///x", "dir_info": {"editable": True}}, space.Needs(["pyyaml>=6", "torch>=2"], copied=True)),
    ],
)
def test_hf_tasks_comes_from_where_it_was_installed_from(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, origin: dict[str, Any] | None, expected: space.Needs
) -> None:
    installed = of(["torch>=2", "pyyaml>=6", 'gradio>=6; extra == "demo"'], origin)
    monkeypatch.setattr(space, "distribution", lambda name: installed)
    assert space._needs(runs("label")) == expected


def test_a_space_of_a_run_of_the_hub_holds_no_weights(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gradio

    monkeypatch.setattr(space, "distribution", lambda name: of([], None))
    lines = demo.write_space(runs("label"), tmp_path / "space", "org/small@v1")
    assert sorted(path.name for path in (tmp_path / "space").iterdir()) == ["README.md", "app.py", "requirements.txt"]
    assert (tmp_path / "space" / "requirements.txt").read_text() == "hf_tasks[demo]==1.2\n"
    assert "\nRUN = 'org/small@v1'\n" in (tmp_path / "space" / "app.py").read_text()
    _, front, text = (tmp_path / "space" / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(front) == {
        "title": "small", "sdk": "gradio", "sdk_version": gradio.__version__, "python_version": "3.11",
        "app_file": "app.py", "models": ["org/small"], "pinned": False,
    }  # fmt: skip
    assert "[org/small](https://huggingface.co/org/small), a model for text-classification" in text
    assert "secret HF_TOKEN" in lines[1]
    assert lines[-1] == f"  hf upload ORG/SPACE {tmp_path / 'space'} --type space"


def test_a_run_that_was_given_by_its_name_on_the_hub_is_named(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_tasks.load_run", lambda name: runs("label"))
    for options, expected in (([], "org/small@v1"), (["--repo-id", "org/other"], "org/other")):
        folder = tmp_path / expected.replace("/", "-")
        assert CliRunner().invoke(app, ["demo", "org/small@v1", "--space", str(folder), *options]).exit_code == 0
        assert f"\nRUN = '{expected}'\n" in (folder / "app.py").read_text()
        assert not (folder / "run").exists()


def test_nothing_is_overwritten(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    for folder in (tmp_path, tmp_path / "mine"):
        result = CliRunner().invoke(app, ["demo", str(runs("label").path), "--space", str(folder)])
        assert str(result.exception) == f"{folder}: is not an empty folder; name another one"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_cannot_be_a_space(runs: Runs, tmp_path: Path) -> None:
    with pytest.raises(RunError) as e:
        demo.write_space(runs("label"), tmp_path / "space", "no name")
    assert str(e.value).startswith('--repo-id: "no name" is not a valid repository name; write ORG/NAME with letters')
    result = CliRunner().invoke(app, ["demo", str(runs("label").path), "--repo-id", "org/small"])
    assert str(result.exception) == "--repo-id: names the repository that a Space fetches the run from; add --space DIR"
    with pytest.raises(RunError) as e:  # the base is a folder of this machine, and an adapter needs it
        adapter = Run(tmp_path / "none", runs("label").recipe)
        demo.write_space(adapter, tmp_path / "space")
    assert str(e.value) == f"{tmp_path}/none: there is no run (no recipe.yaml); give the directory that `train` wrote"
    assert list(tmp_path.iterdir()) == []


def test_the_app_of_a_space_answers_in_a_process_of_its_own(runs: Runs, tmp_path: Path, port: int) -> None:
    folder, run = tmp_path / "space", runs("answer")
    demo.write_space(run, folder)
    assert {path.name for path in folder.iterdir()} >= {"README.md", "app.py", "requirements.txt", "run"}
    environment = os.environ | {"GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1"}
    environment |= {"NO_PROXY": "127.0.0.1", "PYTHONPATH": ""}
    process = subprocess.Popen(
        [sys.executable, str(folder / "app.py")], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == f"http://127.0.0.1:{port}/ (stop with Ctrl-C)\n"
        row = {"question": "who won ?", "context": "mary won the big film in paris"}
        html = asked(f"http://127.0.0.1:{port}/", *row.values())[1]
        assert f"probability {run.predict(**row)['score']:.3f}" in html
    finally:
        process.terminate()
        process.communicate(timeout=20)


def raw(port: int, request: str) -> int:
    """The status of the answer to a request as it is written here."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode())
        return int(connection.recv(100).split()[1])


def test_a_page_of_this_machine_refuses_other_hosts_and_uploads(runs: Runs, port: int) -> None:
    page = demo.page(runs("label"))
    try:
        server.launch(page, "127.0.0.1", port)
        for host in (f"127.0.0.1:{port}", "localhost", f"LOCALHOST:{port}"):
            assert raw(port, f"GET / HTTP/1.1\nHost: {host}\nConnection: close\n\n") == 200
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", ""):
            assert raw(port, f"GET / HTTP/1.1\nHost: {host}\nConnection: close\n\n") == 421
        head = f"HTTP/1.1\nHost: localhost:{port}\nConnection: close\n"
        assert raw(port, f"POST /gradio_api/upload {head}Content-Length: 3\n\nabc") == 403
        assert raw(port, f"POST /upload {head}Content-Length: 3\n\nabc") == 403
        assert raw(port, f"GET /gradio_api/upload_progress?upload_id=1 {head}\n") == 403
        assert raw(port, f"POST /gradio_api/call/predict {head}Content-Length: 5000000\n\n") == 413
        assert raw(port, f"POST /gradio_api/call/predict {head}Transfer-Encoding: chunked\n\n") == 413
    finally:
        page.close(verbose=False)


def test_a_page_for_others_is_served_under_any_name() -> None:
    scope = {"type": "http", "path": "/", "method": "GET", "headers": [(b"host", b"org-space.hf.space")]}
    assert server.RequestFilter(None).refusal(scope) is None  # type: ignore[arg-type]
    assert server.RequestFilter(None, server.LOOPBACK).refusal(scope) == (
        421,
        "this page is served to this machine only",
    )  # type: ignore[arg-type]
