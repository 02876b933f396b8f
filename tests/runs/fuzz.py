"""Damages the files of a run, key by key: `python tests/runs/fuzz.py RUN` tries every value at every key.

For each damaged copy, the model card and the report are made. Each must be made, or be refused as one UserError; and no
text of the run may become markup.
"""

import copy
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hf_tasks.core.errors import UserError
from hf_tasks.publish import card
from hf_tasks.publish.report import report
from hf_tasks.runs.run import Run

MARKUP = "</td><script>alert(1)</script> [a](http://evil) <!-- hf_tasks:end usage --> | x\n```\n# b"
VALUES: list[Any] = [
    None, [], {}, True, -1, 10**30, 1e300, float("nan"), float("inf"), "x", MARKUP, "y" * 2_000_000, [[1]], {"a": {}},
    {MARKUP: MARKUP},
]  # fmt: skip
FILES = (
    "results.json", "environment.json", "train_stats.json", "status.json", "training_log.jsonl",
    "predictions/test.jsonl",
)  # fmt: skip
Keys = tuple[str | int, ...]


def keys_of(value: Any, above: Keys = ()) -> Iterator[Keys]:
    """Every key of nested values; of lists and of large tables, the first items."""
    yield above
    if isinstance(value, dict | list):
        for key in list(value)[:12] if isinstance(value, dict) else range(min(2, len(value))):
            yield from keys_of(value[key], (*above, key))


def damaged(value: Any, keys: Keys, new: Any) -> Any:
    """A copy with another value at a key."""
    if not keys:
        return new
    whole = copy.deepcopy(value)
    inner = whole
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = new
    return whole


def load(file: Path) -> Any:
    text = file.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" else json.loads(text)


def save(file: Path, value: Any) -> None:
    lines = map(json.dumps, value) if file.suffix == ".jsonl" and isinstance(value, list) else [json.dumps(value)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def cases(run: Path) -> Iterator[tuple[str, Keys, Any]]:
    """(file, key, value) of every damage."""
    for name in FILES:
        yield from ((name, keys, new) for keys in keys_of(load(run / name)) for new in VALUES)


def outcome(run: Path, name: str, keys: Keys, new: Any) -> str:
    """What becomes of a run with that value: "made", or the message of the refusal. The file is restored."""
    before = (run / name).read_bytes()
    save(run / name, damaged(load(run / name), keys, new))
    try:
        loaded = Run.load(run)
        text, page = card.text(loaded), report(loaded, run / "report.html").read_text(encoding="utf-8")
    except UserError as e:
        message = str(e)
        assert len(e.problems) == 1 and "\n" not in message and len(message) < 1000, message[:2000]
        assert str(run / name) in message, message
        return message
    finally:
        (run / name).write_bytes(before)
    assert "<script>" not in page
    assert "<script>" not in outside_of_code(text), outside_of_code(text)
    assert "](http://evil)" not in outside_of_code(text)
    assert len(re.findall("^<!-- hf_tasks:end usage -->$", text, re.MULTILINE)) == 1
    return "made"


def outside_of_code(card: str) -> str:
    """A card without its fenced and inline code, in which nothing is markup."""
    front = re.sub(r"\A---\n.*?^---\n", "", card, flags=re.MULTILINE | re.DOTALL)
    fenced = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", front, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", fenced)


def prepared(run: Path, to: Path) -> Path:
    """A copy of a run without its manifest, which would name every damage first."""
    shutil.copytree(run, to)
    (to / "manifest.json").unlink(missing_ok=True)
    (to / "README.md").unlink(missing_ok=True)
    return to


def main(run: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, failed, made = prepared(Path(run), Path(folder) / "run"), 0, 0
        every = list(cases(path))
        for name, keys, new in every:
            try:
                made += outcome(path, name, keys, new) == "made"
            except Exception as e:
                failed += 1
                print(name, keys, repr(new)[:60], "->", type(e).__name__, str(e)[:300])
        print(f"{len(every)} damages: {made} made, {len(every) - made - failed} refused, {failed} failed")


if __name__ == "__main__":
    main(sys.argv[1])
