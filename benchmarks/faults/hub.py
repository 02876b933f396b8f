"""A Hub on loopback in a process of its own, which sends a signal to its client at the n-th request."""

import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[2] / "tests"
NAME = "org/name"


@dataclass(frozen=True)
class Server:
    url: str
    token: str
    folder: Path

    def environment(self) -> dict[str, str]:
        home = str(self.folder / "home")
        return {"HF_ENDPOINT": self.url, "HF_TOKEN": self.token, "HF_HOME": home, "NO_PROXY": "127.0.0.1,localhost"}

    def signal(self, request: int, pid: int, signum: int) -> None:
        """Send a signal to a process when this request has come."""
        (self.folder / "signal").write_text(f"{request} {pid} {signum}", encoding="ascii")

    def requests(self) -> int:
        return len((self.folder / "requests").read_text(encoding="utf-8").splitlines())

    def held(self) -> Any:
        """The files of the repository, with sizes and hashes."""
        url = f"{self.url}/api/models/{NAME}/tree/main?recursive=true"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request) as answer:
            return [(file["path"], file["size"]) for file in json.load(answer)]


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    for name in ("signal", "requests"):
        (folder / name).unlink(missing_ok=True)
    ready, written = os.pipe()
    pid = os.fork()
    if pid == 0:
        _serve(folder, written)
    os.close(written)
    with os.fdopen(ready) as lines:
        url, token = lines.readline().split()
    try:
        yield Server(url, token, folder)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _serve(folder: Path, ready: int) -> None:
    sys.path.insert(0, str(TESTS))
    from hub_server import WRITER, Hub

    class Requests(list[Any]):
        def append(self, request: Any) -> None:
            super().append(request)
            with (folder / "requests").open("a", encoding="utf-8") as file:
                file.write(f"{request}\n")
            if (folder / "signal").exists():
                number, pid, signum = map(int, (folder / "signal").read_text(encoding="ascii").split())
                if len(self) == number:
                    os.kill(pid, signum)
                    time.sleep(0.2)  # so that the answer comes after the signal

    with Hub() as server:
        server.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the client was killed
        server.requests = Requests()
        os.write(ready, f"{server.url} {WRITER}\n".encode())
        while True:
            time.sleep(60)
