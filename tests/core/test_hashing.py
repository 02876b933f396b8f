"""Hashes of large files are remembered while the file is the same."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from hf_tasks.core import hashing


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A large file that was written an hour ago, with an empty cache."""
    monkeypatch.setenv("HF_TASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hashing, "SMALL_FILE", 4)
    monkeypatch.setattr(hashing.time, "time", lambda: (tmp_path / "file").stat().st_ctime + 3600)
    (tmp_path / "file").write_bytes(b"some bytes")
    return tmp_path / "file"


def test_a_file_is_read_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = hashlib.sha256(b"some bytes").hexdigest()
    assert hashing.cached_sha256(file) == expected
    monkeypatch.setattr(hashing, "sha256", lambda _: "read again")
    assert hashing.cached_sha256(file) == expected
    os.utime(file, (1, 1))
    assert hashing.cached_sha256(file) == "read again"


def test_what_a_kill_left_in_the_cache_is_removed(file: Path) -> None:
    cache = file.parent / "cache"
    cache.mkdir()
    (cache / "hashes.json.part").write_text('{"cut')
    hashing.cached_sha256(file)
    assert [path.name for path in cache.iterdir()] == ["hashes.json"]


def test_a_changed_file_with_its_old_times_is_read_again(file: Path) -> None:
    hashing.cached_sha256(file)
    before = file.stat()
    file.write_bytes(b"sums bytes")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert hashing.cached_sha256(file) == hashlib.sha256(b"sums bytes").hexdigest()


def test_a_file_that_was_just_written_is_not_remembered(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two changes within the resolution of a file system's clock look the same."""
    monkeypatch.setattr(hashing.time, "time", lambda: file.stat().st_mtime + 1)
    hashing.cached_sha256(file)
    assert not (file.parent / "cache").exists()


def test_the_cache_has_a_limit_and_may_be_broken(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "CACHE_SIZE", 2)
    cache = file.parent / "cache" / "hashes.json"
    cache.parent.mkdir()
    for content in ("{", "[]", '{"a": "1", "b": "2"}'):
        cache.write_text(content)
        assert hashing.cached_sha256(file) == hashlib.sha256(b"some bytes").hexdigest()
    assert list(json.loads(cache.read_text()))[0] == "b"
    assert len(json.loads(cache.read_text())) == 2


def test_a_small_file_is_always_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "SMALL_FILE", 100)
    hashing.cached_sha256(file)
    assert not (file.parent / "cache").exists()
