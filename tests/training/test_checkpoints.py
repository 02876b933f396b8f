"""Whole checkpoints count; torn and damaged ones are recognised and named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hf_tasks.core.files import publish, write_json
from hf_tasks.training import checkpoints
from hf_tasks.training.checkpoints import MANIFEST, facts, finalize, folders, last_good, remove_unusable, rotate

CONTENTS = {"model.safetensors": b"weights" * 50, "optimizer.pt": b"moments" * 90, "trainer_state.json": b"{}"}


def make(root: Path, step: int, best: int | None = None) -> Path:
    folder = root / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content + bytes([step]))
    finalize(folder, {"best": f"checkpoint-{best}" if best else None, "processes": 1})
    return folder


def test_a_manifest_lists_every_file(tmp_path: Path) -> None:
    manifest = facts(make(tmp_path, 4))
    assert manifest["step"] == 4
    assert manifest["processes"] == 1
    assert {name: entry["size"] for name, entry in manifest["files"].items()} == {
        "model.safetensors": 351, "optimizer.pt": 631, "trainer_state.json": 3,
    }  # fmt: skip


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "torn": (lambda f: (f / MANIFEST).unlink(), "it was not written completely"),
    "empty manifest": (lambda f: (f / MANIFEST).write_bytes(b""), "its manifest.json is damaged"),
    "truncated manifest": (lambda f: (f / MANIFEST).write_bytes((f / MANIFEST).read_bytes()[:80]), "its manifest.json"),
    "changed manifest": (
        lambda f: (f / MANIFEST).write_text((f / MANIFEST).read_text().replace('"processes": 1', '"processes": 2')),
        "its manifest.json is damaged",
    ),
    "manifest of a list": (lambda f: (f / MANIFEST).write_text("[]"), "its manifest.json is damaged"),
    "missing": (lambda f: (f / "optimizer.pt").unlink(), "optimizer.pt is missing"),
    "truncated": (lambda f: (f / "optimizer.pt").write_bytes(b"mom"), "optimizer.pt has 3 bytes instead of 631"),
    "longer": (lambda f: (f / "trainer_state.json").write_bytes(b"{}  "), "trainer_state.json has 4 bytes instead"),
    "a flipped bit": (lambda f: flip_a_bit(f / "model.safetensors"), "model.safetensors is not as it was written"),
    "planted": (lambda f: (f / "pytorch_model.bin").write_bytes(b"x"), "pytorch_model.bin does not belong to it"),
    "moved": (lambda f: f.rename(f.with_name("checkpoint-9")), "its manifest.json is damaged"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_named_and_the_checkpoint_before_is_used(tmp_path: Path, kind: str) -> None:
    older, newer = make(tmp_path, 4), make(tmp_path, 8)
    damage, text = DAMAGES[kind]
    damage(newer)
    good, skipped = last_good(tmp_path)
    assert good == older
    assert len(skipped) == 1
    assert skipped[0].partition(": ")[2].startswith(text)
    remove_unusable(tmp_path, good)
    assert folders(tmp_path) == [older]


def test_every_truncation_of_every_file_is_recognised(tmp_path: Path) -> None:
    folder = make(tmp_path, 4)
    for name in [*CONTENTS, MANIFEST]:
        whole = (folder / name).read_bytes()
        for length in {
            *range(0, len(whole) - 1, 17),
            len(whole) - 2,
        }:  # without its last newline a manifest says the same
            (folder / name).write_bytes(whole[:length])
            assert last_good(tmp_path)[0] is None, (name, length)
        (folder / name).write_bytes(whole)
    assert last_good(tmp_path) == (folder, [])


def test_the_newest_is_chosen_by_number(tmp_path: Path) -> None:
    make(tmp_path, 9)
    newest = make(tmp_path, 10)
    (tmp_path / "checkpoint-best").mkdir()
    assert last_good(tmp_path) == (newest, [])


def test_nothing_good_is_none(tmp_path: Path) -> None:
    assert last_good(tmp_path / "absent") == (None, [])
    (tmp_path / "checkpoint-3").mkdir()
    assert last_good(tmp_path) == (None, [f"{tmp_path / 'checkpoint-3'}: it was not written completely"])


def test_a_checkpoint_whose_best_one_is_damaged_is_not_used(tmp_path: Path) -> None:
    older, best, newest = make(tmp_path, 2), make(tmp_path, 4), make(tmp_path, 8, best=4)
    flip_a_bit(best / "model.safetensors")
    good, skipped = last_good(tmp_path)
    assert good == older
    because = "model.safetensors is not as it was written"
    assert skipped == [
        f"{newest}: its best checkpoint checkpoint-4 cannot be used: {because}",
        f"{best}: {because}",
    ]


@pytest.mark.parametrize(
    ("limit", "kept"), [(1, [10, 8, 4]), (2, [10, 8, 4]), (3, [10, 8, 6, 4]), (None, [10, 8, 6, 4, 2])]
)
def test_rotation_keeps_two_and_the_best_of_each(tmp_path: Path, limit: int | None, kept: list[int]) -> None:
    for step in (2, 4, 6, 8, 10):
        make(tmp_path, step, best=4 if step >= 4 else None)
    (tmp_path / "checkpoint-12").mkdir()  # being written: none of rotation's business
    rotate(tmp_path, limit)
    assert [checkpoints.step_of(folder) for folder in folders(tmp_path)] == [12, *kept]


def test_a_removal_that_is_cut_short_leaves_nothing_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path, 4)
    monkeypatch.setattr(shutil, "rmtree", lambda path: None)
    checkpoints.remove(folder)
    assert last_good(tmp_path)[0] is None


def test_room_is_looked_for_before_a_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9e6, 0, 1.2e6))  # type: ignore[attr-defined]
    assert checkpoints.disk_space_error(tmp_path, 1_000_000) is None
    text = "a checkpoint needs 1.3 MB, 1.2 MB are free on this disk"
    assert checkpoints.disk_space_error(tmp_path, 1_100_000) == text


def test_publishing_moves_the_named_file_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staging, target = tmp_path / "staging", tmp_path / "run"
    (staging / "predictions").mkdir(parents=True)
    target.mkdir()
    for name in ("a.json", "results.json", "z.json", "predictions/test.jsonl"):
        (staging / name).write_text(json.dumps(name))
    moved: list[str] = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: (moved.append(self.name), replace(self, to))[1])
    publish(staging, target, "results.json")
    assert moved == ["a.json", "test.jsonl", "z.json", "results.json"]
    assert sorted(p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()) == [
        "a.json", "predictions/test.jsonl", "results.json", "z.json",
    ]  # fmt: skip
    assert not staging.exists()


def test_a_json_file_is_replaced_or_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    write_json(path, {"status": "running"})
    with pytest.raises(TypeError):
        write_json(path, {"status": object()})
    assert json.loads(path.read_text()) == {"status": "running"}


def test_a_passing_checkpoint_stays_until_the_next_one(tmp_path: Path) -> None:
    for step, temporary in ((2, False), (3, True), (4, False), (5, True)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        finalize(folder, {"best": None, "temporary": temporary})
        rotate(tmp_path, 2)
    assert [path.name for path in folders(tmp_path)] == ["checkpoint-5", "checkpoint-4", "checkpoint-2"]


def test_a_file_in_the_place_of_a_checkpoint_is_named_and_removed(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-8").write_text("not a folder")
    good = make(tmp_path, 4)
    assert last_good(tmp_path) == (good, [f"{tmp_path}/checkpoint-8: it is a file, not a folder"])
    remove_unusable(tmp_path, good)
    assert folders(tmp_path) == [good]
