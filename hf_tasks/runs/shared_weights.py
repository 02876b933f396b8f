"""Load several runs that share the tensors of one base checkpoint in memory."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hf_tasks.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor

SMALL = 1024
"""Smaller tensors (in elements) are not shared."""


def load_runs(paths: Mapping[str, str | Path]) -> dict[str, Run]:
    """Load runs with their models from {name: directory}; equal tensors are shared. Raises RunError.

    Runs that freeze the same base take the memory of one base and of the parameters that each has trained. They are
    only for prediction: training one of them would change the others.
    """
    runs = {name: Run.load(path) for name, path in paths.items()}
    held: dict[tuple[str, str], Tensor] = {}
    for run in runs.values():
        for parameter in run.model.parameters():
            if parameter.numel() >= SMALL:
                parameter.data = held.setdefault(_content(parameter), parameter.data)
    return runs


def _content(tensor: "Tensor") -> tuple[str, str]:
    """Return a hash of a tensor's values, shape, type and device."""
    values = tensor.detach().cpu().contiguous().numpy()
    return hashlib.sha256(values.data).hexdigest(), f"{tuple(tensor.shape)} {tensor.dtype} {tensor.device}"
