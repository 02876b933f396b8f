"""What `check` prints of a recipe, from reading its data to the last line before the plan."""

import json
from pathlib import Path

import pytest
from conftest import Tiny

from hf_tasks.recipe import from_dict
from hf_tasks.training import check


def test_check_tells_lengths_labels_and_what_is_odd(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train = [{"text": f"{('good', 'bad')[i % 2]} film {i}", "label": "ab"[i % 2]} for i in range(20)]
    train += [{"text": "the " * 70, "label": "a"}]
    for name, rows in {"train": train, "test": [train[3], {"text": "a new book", "label": "b"}]}.items():
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = from_dict(
        {
            "name": "tiny",
            "task": {"name": "text-classification", "max_length": 8},
            "data": {"train": "train.jsonl", "test": "test.jsonl", "validation_size": 0},
            "model": {"name_or_path": str(tiny("bert"))},
        }
    )
    lines = check.check(recipe, dry_run=False)
    end = next(number for number, line in enumerate(lines) if line.startswith("  checked    in "))
    assert lines[end - 4 : end] == [
        "  labels     11 a, 10 b",
        "  lengths    95 % of the texts have at most 6 tokens, 99 % 72, all 72; max_length 8",
        "  warning    texts that are also in train: 1 of 2 in test (test.jsonl:1 = train.jsonl:4); remove them from "
        "train; otherwise the scores are not those of unseen texts",
        "  warning    texts truncated to max_length 8: 1 of 21 in train, 64 tokens (35.2%) lost; task.max_length: 64 "
        "holds 95.6 % for 47.5% more tokens to read",
    ]
