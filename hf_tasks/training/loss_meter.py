"""Averages of the training loss for the log, which are correct after a resume; those of transformers are not."""

from collections.abc import Mapping
from typing import Any

import torch

from hf_tasks.core import distributed


class LossMeter:
    """The sum of this process's losses since the last log, and of all processes' losses before it."""

    def __init__(self, device: Any) -> None:
        self.sum = torch.zeros((), device=device)
        self.total, self.logged_at = 0.0, 0

    def add(self, loss: torch.Tensor) -> None:
        """Add the loss (a scalar) of a forward and backward pass; its value is only read for the log."""
        self.sum += loss

    def since_last_log(self, step: int) -> float:
        """Return the mean loss per step since the last call, over all processes; `step`: optimizer steps so far."""
        found = self._everywhere()
        mean = found / (step - self.logged_at)
        self.total, self.logged_at = self.total + found, step
        self.sum.zero_()
        return mean

    def since_beginning(self, step: int) -> float:
        """Return the mean loss per step since the beginning of the training, over all processes."""
        return (self.total + self._everywhere()) / max(step, 1)

    def state(self) -> dict[str, float]:
        """Return the state for a checkpoint; float32 sums are exact as JSON numbers."""
        return {"loss": float(self.sum), "loss_total": self.total, "loss_logged_at": self.logged_at}

    def restore(self, state: Mapping[str, float]) -> None:
        self.sum.fill_(state["loss"])
        self.total, self.logged_at = state["loss_total"], int(state["loss_logged_at"])

    def _everywhere(self) -> float:
        sums = distributed.gather(float(self.sum))
        return sum(sums) / len(sums)
