"""Generation loops with the output of transformers' own, in which finished sequences leave the batch.

`model.generate(custom_generate=...)` prepares encoder, cache, logits processors and stopping criteria, and calls one of
them. The loops of transformers compute every row until the longest one ends. What is sampled for a prompt depends on
the seed and the index of the prompt alone.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Cache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

Choose = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(places of the rows in the batch, logits (rows, V), the same as processed (rows, V)) -> (rows,) the next tokens."""

NEVER = -1e9
"""Added to the score of a text that may not be chosen, as in transformers."""


def likeliest(rows: Tensor, logits: Tensor, scores: Tensor) -> Tensor:
    return scores.argmax(-1)


def one_path(
    model: Any,
    input_ids: Tensor,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: Any,
    choose: Choose = likeliest,
    **state: Any,
) -> Tensor:
    """(B, T) texts, one token after the other: greedy, or drawn by `choose`."""
    finished: list[Tensor] = [input_ids[0]] * len(input_ids)
    ids, rows = input_ids, torch.arange(len(input_ids), device=input_ids.device)
    while len(rows):
        logits = _next_logits(model, ids, state, first=ids is input_ids)
        tokens = choose(rows, logits, logits_processor(ids, logits))
        ids = torch.cat([ids, tokens[:, None]], 1)
        stopped = stopping_criteria(ids, None)
        if stopped.any():
            for row, text in zip(rows[stopped].tolist(), ids[stopped], strict=True):
                finished[row] = text
            live = (~stopped).nonzero()[:, 0]
            ids, rows = ids[live], rows[live]
            _keep(state, live)
    return _padded(finished, generation_config)


def beam_search(
    model: Any, input_ids: Tensor, logits_processor: Any, stopping_criteria: Any, generation_config: Any, **state: Any
) -> Tensor:
    """(B, T) the best text of each prompt; `input_ids` has num_beams rows of each. Of two equal texts, the earlier."""
    width, start = generation_config.num_beams, input_ids.shape[1]
    n = len(input_ids) // width
    kept = (1 + np.size(generation_config.eos_token_id)) * width  # so that `width` of them go on, whatever ends
    ids = input_ids  # (prompts * width, T)
    prompts = torch.arange(n, device=ids.device)  # those that are not finished
    running = ids.new_full((n, width), NEVER, dtype=torch.float)
    running[:, 0] = 0  # the beams of a prompt are alike at first
    ended = torch.full_like(running, NEVER)  # (prompts, width) scores of the best texts that have ended
    best: list[Tensor] = [ids[0]] * n
    while len(prompts):
        logits = _next_logits(model, ids, state, first=ids is input_ids)
        scores = logits_processor(ids, logits.log_softmax(-1))
        vocabulary = scores.shape[-1]
        sums = (scores.view(len(prompts), width, -1) + running[..., None]).flatten(1)
        values, places = sums.topk(kept)  # (prompts, kept)
        beams = places // vocabulary + width * torch.arange(len(prompts), device=ids.device)[:, None]
        ids = torch.cat([ids[beams], (places % vocabulary)[..., None]], -1)  # (prompts, kept, T + 1)
        stopped = stopping_criteria(ids.flatten(0, 1), None).view_as(values)

        length = ids.shape[-1] - start
        candidates = values / length**generation_config.length_penalty
        candidates[:, width:] = NEVER  # the others only take the places of those that ended
        candidates = candidates.masked_fill(~stopped, NEVER)
        top, place = candidates.max(1)
        for i in (top > ended[:, 0]).nonzero()[:, 0].tolist():
            best[prompts[i]] = ids[i, place[i]]
        ended = torch.cat([ended, candidates], 1).topk(width)[0]

        running, onward = (values + stopped * NEVER).topk(width)
        beams, ids = beams.gather(1, onward), ids.take_along_dim(onward[..., None], 1)
        live = (~_is_finished(running, ended, length, generation_config) & ~stopped.all(1)).nonzero()[:, 0]
        if len(live) < len(prompts):
            prompts, running, ended, beams, ids = (x[live] for x in (prompts, running, ended, beams, ids))
            _keep(state, beams.flatten())
        else:
            _reorder(state, beams.flatten())
        ids = ids.flatten(0, 1)
    return _padded(best, generation_config)


def _is_finished(running: Tensor, ended: Tensor, length: int, config: Any) -> Tensor:
    """(prompts,) whether no running hypothesis can surpass the finished ones, by its present score."""
    full = ended[:, -1] > NEVER / 2
    if config.early_stopping is True:
        return full
    surpassed: Tensor = running[:, 0] / length**config.length_penalty <= ended[:, -1]
    return full & surpassed


def _next_logits(model: Any, ids: Tensor, state: dict[str, Any], first: bool) -> Tensor:
    """(rows, V) logits of the token after `ids`; `state` is updated for the next step."""
    inputs = model.prepare_inputs_for_generation(
        ids, next_sequence_length=None if first or not state["use_cache"] else 1, is_first_iteration=first, **state
    )
    output = model(**inputs, return_dict=True)
    state["past_key_values"] = output.past_key_values
    if not model.config.is_encoder_decoder:
        _lengthen(state)
    logits: Tensor = output.logits
    return logits[:, -1].float()


def _lengthen(state: dict[str, Any]) -> None:
    """What goes with each token of a decoder-only model, for one token more."""
    for name, more in (("attention_mask", 0), ("token_type_ids", 0), ("position_ids", 1)):
        if state.get(name) is not None:
            state[name] = torch.cat([state[name], state[name][:, -1:] + more], -1)


def _keep(state: dict[str, Any], rows: Tensor) -> None:
    """Of all that `generate` has prepared, keep these rows."""
    for name, value in state.items():
        match value:
            case Tensor():
                state[name] = value[rows]
            case Cache():
                value.batch_select_indices(rows)
            case {"last_hidden_state": states}:
                state[name] = BaseModelOutput(states[rows])


def _reorder(state: dict[str, Any], rows: Tensor) -> None:
    """Exchange rows of the same prompt: what the encoder made of it stays where it is."""
    match state["past_key_values"]:
        case EncoderDecoderCache(self_attention_cache=cache):
            cache.reorder_cache(rows)
        case Cache() as cache:
            cache.reorder_cache(rows)


def _padded(texts: list[Tensor], config: Any) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=config.pad_token_id)


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
