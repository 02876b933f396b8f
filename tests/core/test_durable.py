"""Files that appear whole or not at all, and what the operating system refuses, in one message."""

import errno
import json
import os
import signal
from pathlib import Path

import pytest

from hf_tasks.core.errors import DataError, RunError
from hf_tasks.core.files import (
    atomic_folder,
    atomic_output,
    os_error_text,
    overwrite_json,
    write_errors,
    write_json,
)
from hf_tasks.core.signals import Interrupted, stop_on_signal


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    out.write_text("before")
    with atomic_output(out) as file:
        file.write("after\r\n")
        file.flush()
        assert out.read_text() == "before"
    assert out.read_bytes() == b"after\r\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_what_a_kill_left_of_an_output_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out.txt.part").write_text("of a command that was killed, and longer")
    with atomic_output(tmp_path / "out.txt") as file:
        file.write("new")
    assert (tmp_path / "out.txt").read_text() == "new"


def test_two_commands_never_write_one_file(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    with atomic_output(out) as first:
        first.write("first")
        with pytest.raises(DataError) as e, atomic_output(out):
            pytest.fail("the file is being written")
    assert str(e.value) == f"{out}: another command is writing it; wait, or choose another file with -o"
    assert out.read_text() == "first"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_an_output_that_is_interrupted_leaves_the_former(tmp_path: Path, signum: int) -> None:
    out = tmp_path / "out.txt"
    out.write_text("before")
    with pytest.raises(Interrupted), stop_on_signal(), atomic_output(out) as file:
        file.write("after")
        os.kill(os.getpid(), signum)
    assert out.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_one_message_and_leaves_nothing(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError) as e, atomic_output(tmp_path / "out.txt") as file:
        file.write("text")
    assert str(e.value) == f"{tmp_path}/out.txt: cannot be written: {os.strerror(code)}; choose another file with -o"
    assert not list(tmp_path.iterdir())


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / ".out.part" / "of").mkdir(parents=True)
    (tmp_path / ".out.part" / "of" / "a command that was killed").write_text("")
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "file").write_text("text")
        assert not (tmp_path / "out").exists()
        with pytest.raises(RunError, match="out: another command is writing it; wait, or name another folder$"):
            atomic_folder(tmp_path / "out").__enter__()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "out"]


def test_a_folder_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Interrupted), atomic_folder(tmp_path / "out") as folder:
        (folder / "file").write_text("text")
        raise Interrupted(15, "interrupted")
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_place_of_an_output(tmp_path: Path) -> None:
    (tmp_path / "out.txt").mkdir()
    with pytest.raises(DataError, match=r"out.txt: cannot be written: Is a directory; choose another file with -o$"):
        atomic_output(tmp_path / "out.txt").__enter__()


def test_errors_of_other_files_are_not_taken_for_the_outputs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_output(tmp_path / "out.txt"):
        (tmp_path / "input.txt").read_text()


def test_libraries_in_rust_hide_the_error_in_their_text(tmp_path: Path) -> None:
    assert os_error_text(Exception("No space left on device (os error 28)")) == "No space left on device"
    assert os_error_text(Exception("a bug")) is None
    with pytest.raises(RunError) as e, write_errors(tmp_path):
        raise Exception("Disk quota exceeded (os error 122)")
    assert str(e.value) == (
        f"{tmp_path}: cannot be written: Disk quota exceeded; nothing already saved is lost; free some space or "
        "correct the permissions of the folder, and run the same command again to continue"
    )
    with pytest.raises(ValueError, match="a bug"), write_errors(tmp_path):
        raise ValueError("a bug")


def test_on_a_full_disk_a_file_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    write_json(path, {"status": "running", "room": " " * 40})
    size = path.stat().st_size
    overwrite_json(path, {"status": "failed", "message": "the disk is full"})
    assert json.loads(path.read_text()) == {"status": "failed", "message": "the disk is full"}
    assert path.stat().st_size == size
    with pytest.raises(OSError, match="No space left on device"):
        overwrite_json(path, {"message": "x" * 100})
