"""`python ...` in a process of its own, without the seconds of processor time that importing takes.

A server imports the large libraries and does nothing else; every process is a fork of it, and knows no more than a new
one would. It is Python's own fork server (https://docs.python.org/3/library/multiprocessing.html).
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import reduction
from pathlib import Path
from typing import Any, BinaryIO

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([
    "torch", "datasets", "peft", "transformers.trainer", "transformers.models.auto", "transformers.models.bert",
    "transformers.models.bert.modeling_bert", "hf_tasks.training", "hf_tasks.cli", "frozen",
])  # fmt: skip


class Stream:
    """A file descriptor for another process, which gets its own number of it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (reduction.DupFd(self.number),)


def _received(duplicate: Any) -> Stream:
    return Stream(duplicate.detach())


def run(
    arguments: Sequence[str | Path], *, input: str = "", env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """What `subprocess.run([sys.executable, *arguments], text=True, capture_output=True, ...)` gives."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(input.encode())
        given.seek(0)
        process = start(arguments, given, out, err, env=env, cwd=cwd)
        process.join()
        return subprocess.CompletedProcess(list(arguments), process.exitcode or 0, _text(out), _text(err))


def start(
    arguments: Sequence[str | Path], *streams: BinaryIO, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Any:
    """The process, a multiprocessing.Process, with standard input, output and errors as given."""
    words, environment = [str(one) for one in arguments], dict(os.environ if env is None else env)
    handed = [Stream(stream.fileno()) for stream in streams]
    process = CONTEXT.Process(target=_main, args=(words, environment, str(cwd or Path.cwd()), handed))
    process.start()
    return process


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()


def _main(arguments: list[str], environment: dict[str, str], folder: str, streams: list[Stream]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream.number, number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    match arguments:
        case ["-m", module, *_]:
            sys.argv = arguments[1:]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", code, *_]:
            sys.argv = [arguments[0], *arguments[2:]]
            exec(code, {"__name__": "__main__"})
        case [script, *_]:
            sys.argv = arguments
            runpy.run_path(script, run_name="__main__")
