"""Compute the steps of a training without running them: number, padding, evaluations and saves."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.core import distributed
from hf_tasks.recipe import Recipe
from hf_tasks.training.arguments import batch_size
from hf_tasks.training.batches import Batches, BatchSharding
from hf_tasks.training.checkpoints import KEPT
from hf_tasks.training.feature_cache.store import in_bytes
from hf_tasks.training.mixture import Mixture
from hf_tasks.training.safe_trainer import checkpoint_bytes

if TYPE_CHECKING:
    from transformers import TrainingArguments


@dataclass(frozen=True)
class Steps:
    """The optimizer steps of a complete training without early stopping."""

    args: "TrainingArguments"
    batches: Batches
    """The batches of the training."""
    limit: int | None
    """save_total_limit."""

    @classmethod
    def of(
        cls, recipe: Recipe, args: "TrainingArguments", lengths: np.ndarray, mixture: Mixture | None = None
    ) -> "Steps":
        """Compute the steps for train features of the given lengths (N,) in tokens."""
        sharding = BatchSharding(batch_size(recipe), args.per_device_train_batch_size, distributed.world_size())
        seed = args.data_seed or args.seed
        sort = recipe.task.traits.loss_of_batches
        batches = Batches(
            lengths.tolist(), sharding, args.train_sampling_strategy, seed, sort_batches=sort, mixture=mixture
        )
        return cls(args, batches, args.save_total_limit)

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(self.batches.rows_per_epoch / self.batches.sharding.batch_size)

    @property
    def total(self) -> int:
        if self.args.max_steps > 0:
            return int(self.args.max_steps)
        return math.ceil(float(self.args.num_train_epochs) * self.steps_per_epoch)

    @property
    def epochs(self) -> float:
        return self.total / self.steps_per_epoch

    def rows(self) -> Iterator[list[int]]:
        """Yield the feature indices of each step in order."""
        for epoch in range(math.ceil(self.epochs)):
            yield from self.batches.effective(epoch)[: self.total - epoch * self.steps_per_epoch]

    def rows_of(self, step: int) -> list[int]:
        return self.batches.effective(step // self.steps_per_epoch)[step % self.steps_per_epoch]

    @cached_property
    def _counts(self) -> np.ndarray:
        """(total, 2) tokens with padding, and tokens without, of each step over all processes."""
        return np.array([self.token_counts(rows) for rows in self.rows()])

    def token_counts(self, rows: list[int]) -> tuple[int, int]:
        sharding, lengths = self.batches.sharding, self.batches.lengths
        ranks = [replace(sharding, rank=rank) for rank in range(sharding.processes)]
        sizes = [lengths[np.maximum(micro_batch, 0)] for shard in ranks for micro_batch in shard.of(rows)]
        return sum(len(size) * int(size.max()) for size in sizes), sum(int(size.sum()) for size in sizes)

    @property
    def padded_tokens(self) -> np.ndarray:
        """(total,) tokens and padding of each step."""
        return self._counts[:, 0]

    @property
    def padding(self) -> float:
        """The share of padding among all padded tokens."""
        padded, tokens = self._counts.sum(0)
        return float(1 - tokens / padded)

    @cached_property
    def evaluations_and_saves(self) -> tuple[int, int]:
        """(evaluations, saves), at most, as transformers' callback decides."""
        from transformers import TrainerControl, TrainerState
        from transformers.trainer_callback import DefaultFlowCallback

        flow, state, found = DefaultFlowCallback(), TrainerState(max_steps=self.total), list[TrainerControl]()
        state.compute_steps(self.args, self.total)
        for step in range(1, self.total + 1):
            state.global_step, state.epoch = step, step / self.steps_per_epoch
            found.append(flow.on_step_end(self.args, state, TrainerControl()))
            if step % self.steps_per_epoch == 0 or step == self.total:
                found.append(flow.on_epoch_end(self.args, state, TrainerControl()))
        evaluations = sum(control.should_evaluate for control in found)
        by_score = self.args.save_strategy == "best"
        return evaluations, evaluations if by_score else sum(control.should_save for control in found)

    @property
    def checkpoints(self) -> int:
        """Maximum number of checkpoints on disk at a time, including the one that is being written."""
        evaluations, saves = self.evaluations_and_saves
        if self.limit is None:
            return saves
        kept = max(self.limit, KEPT) + (1 if evaluations and self.args.metric_for_best_model else 0)
        return min(saves, kept + 1)

    def counts(self) -> str:
        """Describe the number of steps and the padding."""
        each = f"{self.steps_per_epoch:,} per epoch, {self.batches.sharding.batch_size} rows each"
        return f"{self.total:,} steps ({each}), {self.padding:.1%} padding"

    def line(self, model: Any) -> str:
        """Return the line that `train` prints."""
        room = in_bytes(self.checkpoints * checkpoint_bytes(model))
        return f"  plan       {self.counts()}; checkpoints take {room} at most"
