"""Training batches with the same examples in the same order for any number of processes.

The features of an effective batch (one optimizer step) depend only on seed and epoch; they are sharded across processes
and split into micro-batches. Those of any step can be recomputed, for a resume or an error message.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.tasks.collate import DRAW, IGNORE
from hf_tasks.training.mixture import Mixture

if TYPE_CHECKING:
    from datasets import Dataset

FILLER = -1
"""Index of the feature in an empty micro-batch; its labels are ignored."""
MEGABATCH = 50
"""Effective batches that are sorted by length together (as transformers.trainer_pt_utils does)."""


@dataclass(frozen=True)
class BatchSharding:
    """How an effective batch is divided among processes and into micro-batches."""

    batch_size: int
    """Features of an effective batch, over all processes."""
    micro_batch_size: int
    """Maximum number of features in one forward pass of one process."""
    processes: int = 1
    rank: int = 0

    @property
    def micro_batches(self) -> int:
        """Micro-batches of a full step in each process: transformers' `gradient_accumulation_steps`."""
        return self.micro_batches_for(self.batch_size)

    def micro_batches_for(self, rows: int) -> int:
        """Micro-batches of a step of `rows` rows in each process."""
        return math.ceil(math.ceil(rows / self.processes) / self.micro_batch_size)

    def of(self, rows: Sequence[int]) -> list[list[int]]:
        """Return this process's micro-batches of an effective batch; every process has the same number of them."""
        mine = list(rows[self.rank :: self.processes])
        pieces = np.array_split(np.array(mine, dtype=np.int64), self.micro_batches_for(len(rows)))
        return [piece.tolist() or [FILLER] for piece in pieces]


class Batches:
    """The micro-batches of one epoch for one process; a batch sampler for `torch.utils.data.DataLoader`."""

    def __init__(
        self,
        lengths: Sequence[int],
        sharding: BatchSharding,
        strategy: str,
        seed: int,
        groups: np.ndarray | None = None,
        *,
        sort_batches: bool = False,
        mixture: Mixture | None = None,
    ) -> None:
        """Make a sampler; `lengths`: (N,) in tokens; `strategy`: "group_by_length", "random" or "sequential"; `groups`:
        (N,) features of one group are in different effective batches, except in sequential order; `sort_batches`: each
        effective batch from long to short, so that its micro-batches have texts of similar length; `mixture`: which
        features an epoch has, by default each of them once."""
        self.lengths, self.sharding, self.strategy, self.seed = np.asarray(lengths), sharding, strategy, seed
        self.groups, self.sort_batches, self.mixture = groups, sort_batches, mixture
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    @property
    def rows_per_epoch(self) -> int:
        """Features of an epoch, over all processes."""
        return len(self.lengths) if self.mixture is None else int(self.mixture.counts.sum())

    def __len__(self) -> int:
        full, rest = divmod(self.rows_per_epoch, self.sharding.batch_size)
        return full * self.sharding.micro_batches + self.sharding.micro_batches_for(rest)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the micro-batches, with each feature's index + N x epoch, from which `Rows` knows the epoch."""
        before = self.epoch * len(self.lengths)
        for batch in self.effective(self.epoch):
            for micro_batch in self.sharding.of(batch):
                yield [row if row == FILLER else row + before for row in micro_batch]

    def effective(self, epoch: int) -> list[list[int]]:
        """Return the effective batches of an epoch as lists of feature indices."""
        rows = np.arange(len(self.lengths)) if self.mixture is None else self.mixture.rows(epoch)
        order = rows[self._order(self.lengths[rows], np.random.default_rng([self.seed, epoch]))]
        size = self.sharding.batch_size
        if self.groups is not None and self.strategy != "sequential":
            order = groups_apart(order, self.groups, size)
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        if self.sort_batches:
            batches = [batch[np.argsort(-self.lengths[batch], kind="stable")] for batch in batches]
        return [batch.tolist() for batch in batches]

    def _order(self, lengths: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return the indices (R,) of features of such lengths (R,) in training order."""
        if self.strategy == "sequential":
            return np.arange(len(lengths))
        order = random.permutation(len(lengths))
        if self.strategy == "random":
            return order
        size = self.sharding.batch_size
        groups = [order[start : start + MEGABATCH * size] for start in range(0, len(order), MEGABATCH * size)]
        order = np.concatenate([group[np.argsort(-lengths[group], kind="stable")] for group in groups])
        full = len(order) // size
        batches = order[: full * size].reshape(full, size)[random.permutation(full)]  # not from long to short
        order = np.concatenate([batches.ravel(), order[full * size :]])
        longest = int(np.argmax(lengths[order]))
        order[[0, longest]] = order[[longest, 0]]  # a batch that does not fit in memory fails at once
        return order


def groups_apart(order: np.ndarray, groups: np.ndarray, size: int) -> np.ndarray:
    """Return features (N,) in an order whose batches of `size` have at most one feature of each group.

    Those of shared groups are dealt to the full batches in turn, group after group; all others fill the rest in their
    order. Where a group has more features than there are full batches, some batches have several of them.
    """
    counts = np.bincount(groups)
    shared = counts[groups[order]] > 1
    first = {group: i for i, group in reversed(list(enumerate(groups[order].tolist())))}
    dealt = sorted(order[shared].tolist(), key=lambda row: first[int(groups[row])])
    full = max(1, len(order) // size)
    batches: list[list[int]] = [dealt[: full * size][i::full] for i in range(full)]
    rest = iter([*dealt[full * size :], *order[~shared].tolist()])
    for batch in batches:
        batch.extend(islice(rest, size - len(batch)))
    return np.array([row for batch in [*batches, list(rest)] for row in batch])


class Rows:
    """Map-style dataset of features by the indices of `Batches`; FILLER gives the first feature with ignored labels.

    The column `draw`, (seed, epoch), is for collators that draw at random.
    """

    def __init__(self, features: "Dataset", seed: int) -> None:
        self.features, self.seed = features, seed

    def __len__(self) -> int:
        return len(self.features)

    def __getitems__(self, rows: list[int]) -> list[dict[str, Any]]:
        columns = self.features[[max(row, 0) % len(self.features) for row in rows]]
        features = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        for row, feature in zip(rows, features, strict=True):
            feature[DRAW] = self.seed, max(row, 0) // len(self.features)
            if row == FILLER:
                feature["labels"] = np.full_like(np.array(feature["labels"]), IGNORE).tolist()
        return features
