"""Mixtures of datasets: published rates, exact counts of an epoch, every example in turn, metrics of each dataset."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Tiny, hasten

import hf_tasks
from hf_tasks import DataError, RecipeError
from hf_tasks.data.section import Mixing
from hf_tasks.recipe import from_dict
from hf_tasks.recipe.resolve import resolve
from hf_tasks.training.batches import FILLER, Batches, BatchSharding
from hf_tasks.training.mixture import Mixture, rates, shares

SIZES = (1000, 100, 10)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.9009, 0.0901, 0.0090]),
        ({"limit": 200}, [0.6452, 0.3226, 0.0323]),
        ({"temperature": 2.0}, [0.7061, 0.2233, 0.0706]),
        ({"limit": 200, "temperature": 2.0}, [0.5179, 0.3662, 0.1158]),
        ({"strategy": "equal"}, [0.3333, 0.3333, 0.3333]),
    ],
)
def test_rates_are_those_of_the_paper(options: dict[str, Any], expected: list[float]) -> None:
    assert rates(SIZES, Mixing(**options)).round(4).tolist() == expected


def test_shares_are_whole_and_add_up() -> None:
    assert shares(10, np.array([0.55, 0.27, 0.18])).tolist() == [5, 3, 2]
    assert shares(310, rates(SIZES, Mixing(limit=200))).tolist() == [200, 100, 10]


def mixture(**options: Any) -> Mixture:
    names = [name for name, size in zip("abc", (40, 12, 5), strict=True) for _ in range(size)]
    return Mixture.of(names, Mixing(**options), seed=42)


def test_every_epoch_has_the_counts_and_every_example_its_turn() -> None:
    mixed = mixture(limit=20, temperature=2.0)
    assert mixed.counts.tolist() == shares(37, rates((40, 12, 5), Mixing(limit=20, temperature=2.0))).tolist()
    seen = np.zeros(57, int)
    for epoch in range(7):
        rows = mixed.rows(epoch)
        of_dataset = np.searchsorted([40, 52], rows, side="right")
        assert np.bincount(of_dataset).tolist() == mixed.counts.tolist()
        seen += np.bincount(rows, minlength=57)
        assert [int(np.ptp(part)) <= 1 for part in np.split(seen, [40, 52])] == [True] * 3
    assert mixed.rows(3).tolist() == mixture(limit=20, temperature=2.0).rows(3).tolist() != mixed.rows(2).tolist()


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_an_epoch(processes: int) -> None:
    mixed = mixture(strategy="equal", rows_per_epoch=33)
    lengths = [i % 9 + 1 for i in range(57)]

    def batches(rank: int) -> Batches:
        sharding = BatchSharding(8, 4, processes, rank)
        return Batches(lengths, sharding, "group_by_length", 42, mixture=mixed)

    ranks = [batches(rank) for rank in range(processes)]
    drawn = [row for one in ranks for micro_batch in one for row in micro_batch if row != FILLER]
    assert sorted(drawn) == sorted(mixed.rows(0).tolist()) and mixed.counts.tolist() == [11, 11, 11]
    assert all(len(list(one)) == len(one) for one in ranks)
    assert [len(batch) for batch in ranks[0].effective(5)] == [8, 8, 8, 8, 1]


@pytest.fixture
def values(tiny: Tiny, tmp_path: Path) -> dict[str, Any]:
    """A recipe that mixes two datasets, one with a test split."""
    for name, label, size in (("copy", "film", 20), ("place", "paris", 8)):
        rows = [{"source": f"the {label} {i}", "target": f"{label} {i % 3}"} for i in range(size)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(text.replace("source", "text") if name == "copy" else text)
    return {
        "name": "mixed",
        "task": {"name": "text2text-generation", "metrics": ["chrf"], "metrics_of": {"place": ["accuracy"]},
                 "max_target_length": 8, "max_length": 32},
        "data": {
            "data_dir": str(tmp_path), "validation_size": 0.25, "mixing": {"limit": 6},
            "mixture": {
                "copy": {"train": "copy.jsonl", "columns": {"source": "text"}, "prefix": "copy: "},
                "place": {"train": "place.jsonl", "test": "place.jsonl", "prefix": "where: "},
            },
        },
        "model": {"name_or_path": str(tiny("t5"))}, "decoding": {"name": "greedy"},
        "training": {"num_train_epochs": 1, "batch_size": 4, "bf16": False, "output_dir": str(tmp_path / "run")},
    }  # fmt: skip


def test_datasets_have_their_own_columns_prefixes_and_holdouts(values: dict[str, Any]) -> None:
    _, splits = resolve(from_dict(values), None)
    named = {name: split.examples.to_list() for name, split in splits.named().items()}
    counts = {name: [sum(row["mixture"] == one for row in rows) for one in ("copy", "place")]
              for name, rows in named.items()}  # fmt: skip
    assert counts == {"train": [15, 6], "validation": [5, 2], "test": [0, 8]}
    assert named["train"][0]["source"].startswith("copy: the film ")
    assert named["test"][7]["source"] == "where: the paris 7"
    assert splits.train.where(15).rpartition("/")[2].startswith("place.jsonl:")


def test_a_training_measures_each_dataset_and_their_mean(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    run = hf_tasks.train(from_dict(values))
    found = run.results["validation"]
    table = found["datasets"]
    assert {name: list(row) for name, row in table.items()} == {
        "copy": ["n", "chrf", "cut"],
        "place": ["n", "accuracy", "cut"],
    }
    assert {name: row["n"] for name, row in table.items()} == {"copy": 5, "place": 2}
    assert found["mixture"] == pytest.approx((table["copy"]["chrf"] + table["place"]["accuracy"]) / 2)
    assert run.results["training"]["steps"] == 3  # 12 rows in batches of 4
    assert run.predict("copy: the film 3")["prediction"] is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": "copy.jsonl"}, "mixture has the files of every dataset; remove train"),
        ({"mixing": {"temperature": 0}}, "data.mixing.temperature"),
    ],
)
def test_keys_that_do_not_go_together(values: dict[str, Any], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as error:
        from_dict(values | {"data": values["data"] | changes})
    assert message in str(error.value)


def test_only_text_to_text_is_mixed_and_missing_files_are_named(values: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="only tasks from text to text can be mixed"):
        from_dict(values | {"task": {"name": "text-classification"}, "decoding": None})
    values["data"]["mixture"]["place"]["train"] = "plaice.jsonl"
    with pytest.raises(DataError, match="plaice.jsonl"):
        resolve(from_dict(values), tmp_path)
