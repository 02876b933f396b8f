"""Arrays on disk: whole or not there, whoever writes or dies."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import processes
import pytest

from hf_tasks.training.feature_cache import store
from hf_tasks.training.feature_cache.store import CacheFull, find, locked, make_room, write

SHAPE = (6, 2, 4)
VALUES = np.arange(48, dtype=np.float32).reshape(SHAPE)
BYTES = 48 * 4


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_TASKS_CACHE", str(tmp_path))
    return tmp_path / "features"


def put(key: str, values: np.ndarray = VALUES) -> None:
    with locked(key):
        make_room(values.nbytes)
        write(key, values.shape, np.array_split(values, 2))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_what_was_written_is_found(folder: Path) -> None:
    assert find("key", SHAPE) is None
    put("key")
    found = find("key", SHAPE)
    assert found is not None
    assert np.array_equal(found, VALUES)
    assert not found.flags.writeable
    assert find("another", SHAPE) is None
    assert names(folder) == ["key"]


def test_the_folder_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TASKS_CACHE")
    assert store.root() == Path.home() / ".cache" / "hf_tasks" / "features"


def cut(folder: Path) -> None:
    with (folder / "states.f32").open("r+b") as file:
        file.truncate(BYTES - 4)


def turned(folder: Path) -> None:
    with (folder / "states.f32").open("r+b") as file:
        file.seek(77)
        file.write(b"\x01")


def half_a_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"shape": [6, 2')


def no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize("harm", [cut, turned, half_a_manifest, no_manifest])
def test_a_torn_entry_is_not_read_but_removed(folder: Path, harm: object) -> None:
    put("key")
    harm(folder / "key")  # type: ignore[operator]
    assert find("key", SHAPE) is None
    assert names(folder) == []
    put("key")
    assert np.array_equal(find("key", SHAPE), VALUES)  # type: ignore[arg-type]


def test_an_entry_of_another_shape(folder: Path) -> None:
    put("key")
    assert find("key", (6, 1, 4)) is None


def test_an_error_while_writing_leaves_nothing(folder: Path) -> None:
    def pieces() -> Iterator[np.ndarray]:
        yield VALUES[:2]
        raise RuntimeError("the encoder failed")

    with pytest.raises(RuntimeError, match="the encoder failed"), locked("key"):
        write("key", SHAPE, pieces())
    assert names(folder) == []


def test_a_full_disk(folder: Path) -> None:
    def pieces() -> Iterator[np.ndarray]:
        yield VALUES[:2]
        raise OSError(28, "No space left on device")

    with (
        pytest.raises(CacheFull, match=f"^they cannot be written to {folder}: No space left on device$"),
        locked("key"),
    ):
        write("key", SHAPE, pieces())
    assert names(folder) == []


WRITER = """
import sys, time
import numpy as np
from pathlib import Path
from hf_tasks.training.feature_cache.store import find, locked, write
values, pause = np.arange(48, dtype=np.float32).reshape(6, 2, 4), float(sys.argv[2])
def pieces():
    yield values[:3]
    print("half", flush=True)
    time.sleep(pause)
    yield values[3:]
with locked("key"):
    if find("key", values.shape) is None:
        write("key", values.shape, pieces())
        print("written", flush=True)
    else:
        print("found", flush=True)
"""


@contextmanager
def writer(pause: float) -> Iterator[tuple[Any, TextIO]]:
    """(a process that pauses when half is written, what it prints)."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as printed, Path(os.devnull).open("rb") as nothing:
        with os.fdopen(writing, "wb") as output:
            process = processes.start(["-c", WRITER, "key", str(pause)], nothing, output)
        yield process, printed
        process.join()


def test_a_killed_writer_leaves_no_entry_and_no_lock(folder: Path) -> None:
    with writer(60) as (killed, printed):
        assert printed.readline() == "half\n"
        killed.kill()
    assert names(folder) == ["key.partial"]
    assert find("key", SHAPE) is None
    make_room(0)  # of another entry
    assert names(folder) == []
    put("key")
    assert np.array_equal(find("key", SHAPE), VALUES)  # type: ignore[arg-type]


def test_one_of_two_writers_waits_for_the_other(folder: Path) -> None:
    with writer(0.5) as (_, printed):
        assert printed.readline() == "half\n"
        make_room(0)  # what is being written is not removed
        began = time.monotonic()
        with locked("key"):
            waited = time.monotonic() - began
            assert np.array_equal(find("key", SHAPE), VALUES)  # type: ignore[arg-type]
        assert printed.readline() == "written\n"
    assert waited > 0.2


def test_the_entry_not_used_for_longest_makes_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LIMIT", 3 * BYTES)
    for i, key in enumerate(("a", "b", "c")):
        put(key)
        os.utime(folder / key / "manifest.json", (i, i))
    held = find("a", SHAPE)
    put("d")
    assert names(folder) == ["a", "c", "d"]
    os.utime(folder / "a" / "manifest.json", (0, 0))
    put("e")
    assert names(folder) == ["c", "d", "e"]
    assert np.array_equal(held, VALUES)  # type: ignore[arg-type]  # who reads it goes on


def test_what_is_larger_than_the_limit_removes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a")
    monkeypatch.setattr(store, "LIMIT", 100)
    problem = f"^192 bytes are more than the limit of 100 bytes of {folder}$"
    with pytest.raises(CacheFull, match=problem), locked("b"):
        make_room(BYTES)
    assert names(folder) == ["a"]


def test_the_limit_is_a_share_of_what_the_disk_has(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a")
    usage = store.shutil.disk_usage(folder)._replace(free=10_000 - BYTES)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: usage)
    assert store.max_size(folder) == 2000
    assert store.max_size(folder / "not" / "there") == int(0.2 * (10_000 - BYTES))


def test_sizes_in_words() -> None:
    assert [store.in_bytes(n) for n in (812, 3_140_000, 1.25e9)] == ["812 bytes", "3.1 MB", "1.2 GB"]
