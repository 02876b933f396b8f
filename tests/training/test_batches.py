"""The same batches in the same order, however many processes share them."""

import numpy as np
import pytest
from datasets import Dataset

from hf_tasks.training.batches import FILLER, Batches, BatchSharding, Rows

LENGTHS = [(i * 7) % 23 + 1 for i in range(103)]


def sampler(strategy: str = "group_by_length", **sharding: int) -> Batches:
    return Batches(LENGTHS, BatchSharding(**({"batch_size": 10, "micro_batch_size": 10} | sharding)), strategy, seed=42)


@pytest.mark.parametrize("strategy", ["group_by_length", "random", "sequential"])
def test_an_epoch_holds_every_row_once(strategy: str) -> None:
    batches = sampler(strategy)
    for epoch in (0, 1):
        drawn = batches.effective(epoch)
        assert [len(batch) for batch in drawn] == [10] * 10 + [3]
        assert sorted(row for batch in drawn for row in batch) == list(range(103))
    assert (batches.effective(0) == batches.effective(1)) == (strategy == "sequential")


def test_rows_of_a_batch_are_of_like_length_and_the_longest_comes_first() -> None:
    drawn = sampler().effective(0)
    spread = [np.ptp([LENGTHS[row] for row in batch]) for batch in drawn[1:-1]]
    assert max(spread) == 4  # one of them gave up its longest row
    assert LENGTHS[drawn[0][0]] == max(LENGTHS)


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
@pytest.mark.parametrize("micro_batch_size", [1, 2, 3, 10])
def test_processes_share_each_batch_without_loss_or_repetition(processes: int, micro_batch_size: int) -> None:
    whole = sampler().effective(0)
    ranks = [sampler(micro_batch_size=micro_batch_size, processes=processes, rank=rank) for rank in range(processes)]
    micro_batches = [list(batches) for batches in ranks]
    assert {len(one) for one in micro_batches} == {len(batches) for batches in ranks}
    steps = ranks[0].sharding.micro_batches
    for step, batch in enumerate(whole):
        mine = [
            row
            for one in micro_batches
            for micro_batch in one[step * steps : (step + 1) * steps]
            for row in micro_batch
        ]
        assert sorted(row for row in mine if row != FILLER) == sorted(batch)
    assert max(len(micro_batch) for one in micro_batches for micro_batch in one) <= micro_batch_size


def test_accumulation_follows_from_the_batch_and_the_processes() -> None:
    assert [BatchSharding(32, 8, processes).micro_batches for processes in (1, 2, 3, 4, 8)] == [4, 2, 2, 1, 1]


def test_one_process_keeps_the_order_of_a_batch() -> None:
    assert BatchSharding(6, 4).of([5, 4, 3, 2, 1, 0]) == [[5, 4, 3], [2, 1, 0]]
    assert BatchSharding(6, 4, processes=2, rank=1).of([5, 4, 3, 2, 1, 0]) == [[4, 2, 0]]


def test_a_process_without_a_row_takes_one_that_does_not_count() -> None:
    assert BatchSharding(6, 4, processes=2, rank=1).of([5]) == [[FILLER]]
    rows = Rows(Dataset.from_dict({"input_ids": [[1, 2], [3]], "labels": [[0, 1], [1]]}), seed=7)
    assert rows.__getitems__([1, FILLER]) == [
        {"input_ids": [3], "labels": [1], "draw": (7, 0)},
        {"input_ids": [1, 2], "labels": [-100, -100], "draw": (7, 0)},
    ]
    numbers = Rows(Dataset.from_dict({"input_ids": [[1]], "labels": [0.5]}), seed=7)
    assert numbers.__getitems__([FILLER]) == [{"input_ids": [1], "labels": -100.0, "draw": (7, 0)}]


def test_a_row_carries_its_epoch() -> None:
    batches, rows = sampler("sequential"), Rows(Dataset.from_dict({"labels": list(range(103))}), seed=7)
    batches.set_epoch(2)
    last = rows.__getitems__(list(batches)[-1])
    assert last == [{"labels": row, "draw": (7, 2)} for row in (100, 101, 102)]


def test_rows_of_a_group_are_in_different_batches() -> None:
    groups = np.arange(103)
    groups[:40] = np.repeat(np.arange(4), 10)  # as many as there are full batches
    groups[40:60] = np.repeat(np.arange(10), 2) + 10
    for strategy in ("random", "group_by_length"):
        batches = Batches(LENGTHS, BatchSharding(10, 10), strategy, 42, groups)
        for epoch in range(5):
            drawn = batches.effective(epoch)
            assert [len(batch) for batch in drawn] == [10] * 10 + [3]
            assert sorted(row for batch in drawn for row in batch) == list(range(103))
            assert all(len({groups[row] for row in batch}) == len(batch) for batch in drawn)
            assert drawn == Batches(LENGTHS, BatchSharding(10, 5, 2, 1), strategy, 42, groups).effective(epoch)
        assert batches.effective(0) != batches.effective(1)


def test_a_group_with_more_rows_than_batches_is_spread_evenly() -> None:
    groups = np.where(np.arange(103) < 25, 0, np.arange(103))
    drawn = Batches(LENGTHS, BatchSharding(10, 10), "random", 42, groups).effective(0)
    assert max(sum(groups[row] == 0 for row in batch) for batch in drawn) == 3
    assert [len(batch) for batch in drawn] == [10] * 10 + [3]


def test_sorted_batches_hold_the_same_rows_in_micro_batches_of_like_length() -> None:
    plain, ordered = (Batches(LENGTHS, BatchSharding(20, 5), "random", 42, sort_batches=s) for s in (False, True))
    assert [sorted(batch) for batch in ordered.effective(1)] == [sorted(batch) for batch in plain.effective(1)]
    for batch in ordered.effective(1):
        assert [LENGTHS[row] for row in batch] == sorted((LENGTHS[row] for row in batch), reverse=True)
