"""Several runs in memory at once: what they have in common, the tensors of one base checkpoint, is held once."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hf_tasks.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor

SMALL = 1024
"""Numbers in a tensor below which sharing it is not worth the comparison."""


def load_runs(paths: Mapping[str, str | Path]) -> dict[str, Run]:
    """The runs in some directories, their models loaded, under the given names.

    Tensors with equal contents are one tensor in memory: runs of methods that leave their base as it is, of the same
    base, take the memory of one base and of what each has trained. They are for predictions: training one would change
    the others. Raises RunError.
    """
    runs = {name: Run.load(path) for name, path in paths.items()}
    held: dict[tuple[str, str], Tensor] = {}
    for run in runs.values():
        for parameter in run.model.parameters():
            if parameter.numel() >= SMALL:
                parameter.data = held.setdefault(_content(parameter), parameter.data)
    return runs


def _content(tensor: "Tensor") -> tuple[str, str]:
    """What is equal only for tensors with equal contents in the same place."""
    values = tensor.detach().cpu().contiguous().numpy()
    return hashlib.sha256(values.data).hexdigest(), f"{tuple(tensor.shape)} {tensor.dtype} {tensor.device}"
