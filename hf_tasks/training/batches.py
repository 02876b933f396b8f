"""Which features train together: the same batches in the same order, however many processes share the work.

An effective batch is what one optimizer step learns from. Its rows depend on the seed and the epoch alone; they are
dealt to the processes, and each process takes its share in as many pieces as its memory asks for. What was drawn for
a step can be told again at any time, to resume there or to name its rows.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.tasks.collate import IGNORE

if TYPE_CHECKING:
    from datasets import Dataset

FILLER = -1
"""Stands for a row in a piece that would be empty; its labels do not count."""
MEGABATCH = 50
"""Effective batches that are sorted by length together (as transformers.trainer_pt_utils does)."""


@dataclass(frozen=True)
class Shares:
    """How an effective batch is divided."""

    batch_size: int
    """Rows of an effective batch."""
    at_once: int
    """Rows that a process takes at most at once."""
    processes: int = 1
    rank: int = 0

    @property
    def pieces(self) -> int:
        """Pieces a process takes for each step: transformers' gradient_accumulation_steps."""
        return self.pieces_of(self.batch_size)

    def pieces_of(self, rows: int) -> int:
        return math.ceil(math.ceil(rows / self.processes) / self.at_once)

    def of(self, rows: Sequence[int]) -> list[list[int]]:
        """This process's pieces of an effective batch, as many as every other process has."""
        mine = list(rows[self.rank :: self.processes])
        splits = np.array_split(np.array(mine, dtype=np.int64), self.pieces_of(len(rows)))
        return [split.tolist() or [FILLER] for split in splits]


class Batches:
    """The pieces of one epoch for one process; a batch sampler of torch.utils.data.DataLoader."""

    def __init__(self, lengths: Sequence[int], shares: Shares, strategy: str, seed: int) -> None:
        """`lengths`: (N,) in tokens. `strategy`: transformers' train_sampling_strategy: "group_by_length", "random" or
        "sequential"."""
        self.lengths, self.shares, self.strategy, self.seed = np.asarray(lengths), shares, strategy, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        full, rest = divmod(len(self.lengths), self.shares.batch_size)
        return full * self.shares.pieces + self.shares.pieces_of(rest)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.effective(self.epoch):
            yield from self.shares.of(batch)

    def effective(self, epoch: int) -> list[list[int]]:
        """The effective batches of an epoch, each a list of rows."""
        order, size = self._order(np.random.default_rng([self.seed, epoch])), self.shares.batch_size
        return [order[start : start + size].tolist() for start in range(0, len(order), size)]

    def _order(self, random: np.random.Generator) -> np.ndarray:
        """(N,) rows in the order in which they are learned."""
        if self.strategy == "sequential":
            return np.arange(len(self.lengths))
        order = random.permutation(len(self.lengths))
        if self.strategy == "random":
            return order
        size = self.shares.batch_size
        groups = [order[start : start + MEGABATCH * size] for start in range(0, len(order), MEGABATCH * size)]
        order = np.concatenate([group[np.argsort(-self.lengths[group], kind="stable")] for group in groups])
        whole = len(order) // size
        batches = order[: whole * size].reshape(whole, size)[random.permutation(whole)]  # not from long to short
        order = np.concatenate([batches.ravel(), order[whole * size :]])
        longest = int(np.argmax(self.lengths[order]))
        order[[0, longest]] = order[[longest, 0]]  # a batch that does not fit in memory fails at once
        return order


class Rows:
    """Features by row, for torch.utils.data.DataLoader; FILLER is the first one with labels that do not count."""

    def __init__(self, features: "Dataset") -> None:
        self.features = features

    def __len__(self) -> int:
        return len(self.features)

    def __getitems__(self, rows: list[int]) -> list[dict[str, Any]]:
        columns = self.features[[max(row, 0) for row in rows]]
        features = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return [_uncounted(feature) if row == FILLER else feature for row, feature in zip(rows, features, strict=True)]


def _uncounted(feature: dict[str, Any]) -> dict[str, Any]:
    return feature | {"labels": np.full_like(np.array(feature["labels"]), IGNORE).tolist()}
