"""Commands of hf_tasks in forks of this process, which has imported everything and runs under faults.so."""

import contextlib
import ctypes
import gc
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2): processes that lose their parent become children of this one."""
LIMIT = 120
"""Seconds after which a command is stuck."""


@dataclass(frozen=True)
class Library:
    """The preloaded library. This process runs under it with counting off; what it starts may switch it on."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "faults.so"

    def compile(self) -> None:
        source = Path(__file__).with_name("faults.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.file, source, "-ldl"], check=True)

    def environment(self, root: Path, what: str) -> dict[str, str]:
        """The variables that make a process do `what` (see faults.c) with the calls below `root`."""
        (self.folder / "counter").write_bytes(bytes(8))
        return {"FAULTS_DO": what, "FAULTS_ROOT": str(root), "FAULTS_COUNTER": str(self.folder / "counter")}

    @property
    def count(self) -> int:
        """The calls since `environment`."""
        return int.from_bytes((self.folder / "counter").read_bytes(), sys.byteorder)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    said: str
    """What it printed, stdout and stderr."""
    seconds: float
    """Until the last of its processes had ended."""
    orphaned: float
    """Seconds that others of its processes went on after its first one."""


class Zygote:
    """This process, prepared for forks."""

    def __init__(self, library: Library, root: Path) -> None:
        self.library, self.root, self.log = library, root, library.folder / "log.txt"
        ctypes.CDLL(None).prctl(SUBREAPER, 1)

    def warm(self, commands: Sequence[Sequence[str]]) -> None:
        """Run commands in this process, so that what they import and compile is in its forks."""
        printed = [os.dup(1), os.dup(2)]
        file = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1), os.dup2(file, 2)
        _patch()
        codes = [_main(command) for command in commands]
        for number, former in enumerate(printed, 1):
            os.dup2(former, number)
        assert not any(codes), self.log.read_text(encoding="utf-8")
        gc.collect()
        gc.freeze()

    def start(self, command: Sequence[str], what: str = "count", **environment: str) -> int:
        """The process id of `hf-tasks COMMAND`, which leads a process group of its own."""
        environment |= self.library.environment(self.root, what)
        pid = os.fork()
        if pid:
            with contextlib.suppress(OSError):  # the child has done so, and may have ended
                os.setpgid(pid, pid)
            return pid
        os.setpgid(0, 0)
        file = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        os.dup2(file, 1), os.dup2(file, 2)
        os.environ |= environment
        if environment.get("FAULTS_PID") == "self":
            os.environ["FAULTS_PID"] = str(os.getpid())
        ctypes.CDLL(None).faults_begin()
        os._exit(_main(command))

    def end(self, pid: int, everything: bool = False) -> Ended:
        """Wait for a command and all processes that it started; those that take longer than LIMIT are killed.
        `everything`: all children of this process, for a command whose processes leave its group."""
        code, begun, ended = None, time.monotonic(), 0.0
        while True:
            try:
                one, status = os.waitpid(-1 if everything else -pid, os.WNOHANG)
            except ChildProcessError:
                break
            if one == pid:
                code, ended = os.waitstatus_to_exitcode(status), time.monotonic()
            if one == 0:
                time.sleep(0.003)
            if time.monotonic() - begun > LIMIT and not everything:
                os.killpg(pid, signal.SIGKILL)
        assert code is not None
        said, now = self.log.read_text(encoding="utf-8", errors="replace"), time.monotonic()
        return Ended(code, said, now - begun, now - ended)

    def run_anew(self, command: Sequence[str], what: str = "count", *, launcher: bool = False) -> Ended:
        """As `run`, by a new process with all of its own; `launcher`: of several processes, their launcher is hit."""
        environment = os.environ | self.library.environment(self.root, what) | {"LD_PRELOAD": str(self.library.file)}
        shell = ["sh", "-c", f'{"FAULTS_PID=$$ " if launcher else ""}exec "$@"', "sh"]
        arguments = [*shell, sys.executable, "-m", "hf_tasks", *command]
        with self.log.open("wb") as log:
            started = subprocess.Popen(arguments, env=environment, stdout=log, stderr=log)
        return self.end(started.pid, everything=True)

    def run(self, command: Sequence[str], what: str = "count", **environment: str) -> Ended:
        return self.end(self.start(command, what, **environment))


def _patch() -> None:
    """What a command does in processes of its own: `train` verifies the run in one, which only reads, and starts
    several; `push` runs the card's snippets. A picture is drawn once. The cache of hashes takes all files."""
    from hf_tasks.core import distributed, files, hashing
    from hf_tasks.publish import plots
    from hf_tasks.publish.hub import push
    from hf_tasks.runs.staged_run import StagedRun

    StagedRun._compare = lambda *_: None  # type: ignore[method-assign]
    save, drawn = plots.save, dict[str, bytes]()

    def save_again(path: Path, size: tuple[float, float], draw: Any) -> Path:
        if path.name not in drawn:
            drawn[path.name] = save(path, size, draw).read_bytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(path, drawn[path.name])
        return path

    plots.save = save_again
    push.check_card = lambda *_: None  # type: ignore[assignment]
    distributed.launch = _launch
    hashing.SMALL_FILE = hashing.MIN_AGE = -1  # type: ignore[assignment]


def _main(command: Sequence[str]) -> int:
    """The exit code of a command line in this process."""
    from hf_tasks import cli

    sys.argv = ["hf-tasks", *command]
    if endpoint := os.environ.get("HF_ENDPOINT"):
        from huggingface_hub import constants

        constants.ENDPOINT, constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_XET = endpoint, False, True
    try:
        cli.main()
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    return code


def _launch(processes: int, arguments: Sequence[str]) -> int:
    """As `distributed.launch`, with forks: when one fails, the others are ended, as torchrun does."""
    from accelerate.state import AcceleratorState

    from hf_tasks.core.distributed import LAUNCHER

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    place: dict[str, Any] = {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1"}
    os.environ |= {name: str(value) for name, value in place.items()} | {"MASTER_PORT": port}
    os.environ[LAUNCHER] = str(os.getpid())
    pids = []
    for rank in range(processes):
        pids.append(os.fork())
        if pids[-1] == 0:
            os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            AcceleratorState._reset_state(reset_partial_state=True)  # of what this process did alone
            os._exit(_main(arguments))
    failed, left, asked = 0, set(pids), 0.0
    while left:
        one, status = os.waitpid(-1, os.WNOHANG)
        if one:
            left.discard(one)
            code = os.waitstatus_to_exitcode(status)
            failed = failed or (128 - code if code < 0 else code)
        if failed and not asked:
            asked = time.monotonic()
            for pid in left:
                os.kill(pid, signal.SIGTERM)
        if asked and time.monotonic() - asked > 30:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.003)
    return failed
