"""Drawing tokens so that what is drawn for a prompt depends on the seed and the prompt's place alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    EpsilonLogitsWarper,
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)


class Sampler(LogitsProcessor):  # type: ignore[misc]
    """Chooses each row's next token itself, by one uniform number for each row and step, and leaves the others no
    probability: `generate` with do_sample can then draw nothing else.

    log_probabilities   (rows,) of the texts so far, under the model as it is, whatever is cut from its distribution
    """

    def __init__(self, uniforms: np.ndarray, warpers: LogitsProcessorList, eos_token_ids: Sequence[int]) -> None:
        """`uniforms` (rows, steps): numbers in [0, 1)."""
        self.uniforms, self.warpers, self.step = torch.from_numpy(uniforms), warpers, 0
        self.eos_token_ids = torch.tensor(list(eos_token_ids))
        self.log_probabilities = torch.zeros(len(uniforms))
        self.alive = torch.ones(len(uniforms), dtype=torch.bool)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        warped: Tensor = self.warpers(input_ids, scores)
        cumulative = warped.softmax(-1).double().cumsum(-1)  # (rows, V)
        total = cumulative[:, -1:]
        threshold = self.uniforms[:, self.step, None].to(total.device) * total
        below_total = torch.minimum(threshold, torch.nextafter(total, torch.zeros_like(total)))
        tokens = torch.searchsorted(cumulative, below_total, right=True)  # (rows, 1)
        of_token = scores.log_softmax(-1).gather(1, tokens)[:, 0].cpu()
        self.log_probabilities += torch.where(self.alive, of_token, 0.0)
        self.alive &= ~torch.isin(tokens[:, 0].cpu(), self.eos_token_ids)
        self.step += 1
        return torch.full_like(scores, -torch.inf).scatter_(1, tokens, 0.0)


def warpers(temperature: float, top_k: int, top_p: float, epsilon_cutoff: float) -> LogitsProcessorList:
    """What cuts and sharpens the distribution, in the order of `generate`."""
    chosen: list[Any] = []
    if temperature != 1:
        chosen.append(TemperatureLogitsWarper(temperature))
    if top_k:
        chosen.append(TopKLogitsWarper(top_k))
    if top_p < 1:
        chosen.append(TopPLogitsWarper(top_p))
    if epsilon_cutoff:
        chosen.append(EpsilonLogitsWarper(epsilon_cutoff))
    return LogitsProcessorList(chosen)


def uniforms(seed: int, prompts: Sequence[int], outputs: int, steps: int) -> np.ndarray:
    """(prompts * outputs, steps) numbers in [0, 1), a stream of its own for each prompt."""
    rows = [np.random.default_rng([seed, prompt]).random((outputs, steps)) for prompt in prompts]
    return np.concatenate(rows)
