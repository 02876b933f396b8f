"""The steps of a training, without running them: how many, on how much padding, with how many evaluations and saves."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.core import distributed
from hf_tasks.recipe import Recipe
from hf_tasks.training.arguments import batch_size
from hf_tasks.training.batches import Batches, Shares
from hf_tasks.training.checkpoints import KEPT
from hf_tasks.training.feature_cache.store import in_bytes
from hf_tasks.training.trainer import bytes_of_checkpoint

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import TrainingArguments


@dataclass(frozen=True)
class Steps:
    """The optimizer's steps of a whole training, early stopping aside."""

    args: "TrainingArguments"
    batches: Batches
    """Those of the training itself."""
    limit: int | None
    """save_total_limit."""

    @classmethod
    def of(cls, recipe: Recipe, args: "TrainingArguments", train: "Dataset") -> "Steps":
        """The steps on the features of the training part."""
        shares = Shares(batch_size(recipe), args.per_device_train_batch_size, distributed.world_size())
        seed = args.data_seed or args.seed
        batches = Batches(train["length"][:], shares, args.train_sampling_strategy, seed)
        return cls(args, batches, args.save_total_limit)

    @property
    def an_epoch(self) -> int:
        return math.ceil(len(self.batches.lengths) / self.batches.shares.batch_size)

    @property
    def total(self) -> int:
        if self.args.max_steps > 0:
            return int(self.args.max_steps)
        return math.ceil(float(self.args.num_train_epochs) * self.an_epoch)

    @property
    def epochs(self) -> float:
        return self.total / self.an_epoch

    def rows(self) -> Iterator[list[int]]:
        """The rows of each step, in order."""
        for epoch in range(math.ceil(self.epochs)):
            yield from self.batches.effective(epoch)[: self.total - epoch * self.an_epoch]

    def rows_of(self, step: int) -> list[int]:
        return self.batches.effective(step // self.an_epoch)[step % self.an_epoch]

    @cached_property
    def _counts(self) -> np.ndarray:
        """(total, 2): of each step, over all processes, how many places its tokens and their padding take, and how many
        tokens there are."""
        return np.array([self.places_and_tokens(rows) for rows in self.rows()])

    def places_and_tokens(self, rows: list[int]) -> tuple[int, int]:
        shares, lengths = self.batches.shares, self.batches.lengths
        ranks = [replace(shares, rank=rank) for rank in range(shares.processes)]
        pieces = [lengths[np.maximum(piece, 0)] for share in ranks for piece in share.of(rows)]
        return sum(len(piece) * int(piece.max()) for piece in pieces), sum(int(piece.sum()) for piece in pieces)

    @property
    def places(self) -> np.ndarray:
        """(total,) tokens and padding of each step."""
        return self._counts[:, 0]

    @property
    def padding(self) -> float:
        """The share of all places that hold no token."""
        places, tokens = self._counts.sum(0)
        return float(1 - tokens / places)

    @cached_property
    def pauses(self) -> tuple[int, int]:
        """(evaluations, saves) at most, as transformers decides step by step."""
        from transformers import TrainerControl, TrainerState
        from transformers.trainer_callback import DefaultFlowCallback

        flow, state, found = DefaultFlowCallback(), TrainerState(max_steps=self.total), list[TrainerControl]()
        state.compute_steps(self.args, self.total)
        for step in range(1, self.total + 1):
            state.global_step, state.epoch = step, step / self.an_epoch
            found.append(flow.on_step_end(self.args, state, TrainerControl()))
            if step % self.an_epoch == 0 or step == self.total:
                found.append(flow.on_epoch_end(self.args, state, TrainerControl()))
        evaluations = sum(control.should_evaluate for control in found)
        by_score = self.args.save_strategy == "best"
        return evaluations, evaluations if by_score else sum(control.should_save for control in found)

    @property
    def checkpoints(self) -> int:
        """How many checkpoints are on disk at once, the one that is being written with them."""
        evaluations, saves = self.pauses
        if self.limit is None:
            return saves
        kept = max(self.limit, KEPT) + (1 if evaluations and self.args.metric_for_best_model else 0)
        return min(saves, kept + 1)

    def counts(self) -> str:
        """In words."""
        an_epoch = f"{self.an_epoch:,} an epoch, {self.batches.shares.batch_size} rows each"
        return f"{self.total:,} steps ({an_epoch}), {self.padding:.1%} padding"

    def line(self, model: Any) -> str:
        """What `train` says before it begins."""
        room = in_bytes(self.checkpoints * bytes_of_checkpoint(model))
        return f"  plan       {self.counts()}; checkpoints take {room} at most"
