"""Drawing tokens so that what is drawn for a prompt depends on the seed and the prompt's place alone."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Sampler:
    """Chooses each row's next token by one uniform number for each row and step: its place in the cumulative
    distribution.

    log_probabilities   (rows,) of the texts so far, under the model as it is, whatever is cut from its distribution
    """

    def __init__(self, uniforms: np.ndarray, device: torch.device | str = "cpu") -> None:
        """`uniforms` (rows, steps): numbers in [0, 1)."""
        self.uniforms, self.step = torch.from_numpy(uniforms).to(device), 0
        self.log_probabilities = torch.zeros(len(uniforms), device=device)

    def __call__(self, rows: Tensor, logits: Tensor, scores: Tensor) -> Tensor:
        cumulative = scores.softmax(-1).cumsum(-1, dtype=torch.float64)  # (rows, V)
        total = cumulative[:, -1:]
        threshold = self.uniforms[rows, self.step, None] * total
        below_total = torch.minimum(threshold, torch.nextafter(total, torch.zeros_like(total)))
        tokens = torch.searchsorted(cumulative, below_total, right=True)  # (rows, 1)
        self.log_probabilities[rows] += logits.log_softmax(-1).gather(1, tokens)[:, 0]
        self.step += 1
        return tokens[:, 0]


def uniforms(seed: int, prompts: Sequence[int], outputs: int, steps: int) -> np.ndarray:
    """(prompts * outputs, steps) numbers in [0, 1), a stream of its own for each prompt."""
    rows = [np.random.default_rng([seed, prompt]).random((outputs, steps)) for prompt in prompts]
    return np.concatenate(rows)
