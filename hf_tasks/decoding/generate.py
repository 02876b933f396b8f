"""Text in, text out: `generate` for encoder-decoder and decoder-only models.

Prompts are taken in batches of like length, longest first; the encoder runs once for each, however many sequences
follow; texts that are finished leave their batch; a progress bar counts sentences.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from hf_tasks.core import distributed
from hf_tasks.core.progress import progress
from hf_tasks.decoding.strategies import Beam, Decoding, Sampling, special_tokens

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

BATCH_SIZE = 64
"""Sequences that are followed at once: prompts times beams, or times samples."""

GLOBAL_ATTENTION = "global_attention_mask"
"""A column that LED's encoder reads; no tokenizer pads it."""

Features = dict[str, list[int]]
"""The tokenizer's columns for one prompt: input_ids, attention_mask."""


@dataclass(frozen=True)
class Generated:
    text: str
    cut: bool
    """Whether max_new_tokens ended the text: it has no end token, or one that the checkpoint forces at the limit."""
    choice: dict[str, Any] = field(default_factory=dict)
    """Further values from the strategy; with `mbr` the expected utility."""


def generate(
    model: Any,
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[str],
    decoding: Decoding,
    batch_size: int = BATCH_SIZE,
    *,
    description: str | None = None,
) -> list[Generated]:
    """The text that the model writes for each prompt, in their order.

    `decoding.max_new_tokens` must be set; prompts longer than the tokenizer's model_max_length are cut. With
    `description`, a progress bar on a terminal.
    """
    if not prompts:
        return []
    encoded = tokenizer(list(prompts), truncation=True, verbose=False)
    names = [name for name in tokenizer.model_input_names if name in encoded]
    features = [{name: encoded[name][i] for name in names} for i in range(len(prompts))]
    if GLOBAL_ATTENTION in tokenizer.model_input_names:
        features = [one | {GLOBAL_ATTENTION: [1] + [0] * (len(one["input_ids"]) - 1)} for one in features]
    return generate_from(model, tokenizer, features, decoding, batch_size, description=description)


def generate_from(
    model: Any,
    tokenizer: "PreTrainedTokenizerBase",
    features: Sequence[Features],
    decoding: Decoding,
    batch_size: int = BATCH_SIZE,
    *,
    description: str | None = None,
) -> list[Generated]:
    """As `generate`, for prompts that are tokenized."""
    found: dict[int, Generated] = {}
    rank, processes = distributed.rank_and_size()  # they share the batches
    shown = progress(len(features[rank::processes]), description, "sentences")
    with shown as bar, _for_inference(model, decoding), _without_settings(model):
        for rows in list(_by_length(features, max(1, batch_size // decoding.sequences)))[rank::processes]:
            found |= zip(rows, _batch(model, tokenizer, [features[i] for i in rows], decoding, rows), strict=True)
            bar.update(len(rows))
    found = {place: one for share in distributed.gather(found) for place, one in share.items()}
    return [found[i] for i in range(len(features))]


def _batch(
    model: Any, tokenizer: "PreTrainedTokenizerBase", features: list[Features], decoding: Decoding, places: list[int]
) -> list[Generated]:
    assert decoding.max_new_tokens is not None
    encoder_decoder = model.config.is_encoder_decoder
    side = "right" if encoder_decoder else "left"
    batch = tokenizer.pad(
        [{name: ids for name, ids in one.items() if name != GLOBAL_ATTENTION} for one in features],
        padding_side=side, return_tensors="pt", verbose=False,
    ).to(model.device)  # fmt: skip
    if GLOBAL_ATTENTION in features[0]:
        batch[GLOBAL_ATTENTION] = _padded([one[GLOBAL_ATTENTION] for one in features], batch["input_ids"])
    config = decoding.generation_config()
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id
    search, sampler = _search(model, decoding, places)
    sequences = model.generate(**batch, generation_config=config, custom_generate=search)
    written = sequences[:, 1:] if encoder_decoder else sequences[:, batch["input_ids"].shape[1] :]
    texts = tokenizer.batch_decode(written, skip_special_tokens=True)
    cut = _cut(written, _ends(model, tokenizer), decoding.max_new_tokens, model.generation_config).tolist()
    log_probabilities = sampler.log_probabilities.tolist() if sampler else [0.0] * len(texts)
    n, generated = decoding.outputs, []
    for start in range(0, len(texts), n):
        of_prompt = slice(start, start + n)
        index, facts = decoding.select(texts[of_prompt], log_probabilities[of_prompt])
        generated.append(Generated(texts[start + index], cut[start + index], facts))
    return generated


def _padded(rows: list[list[int]], like: "Tensor") -> "Tensor":
    """(B, L) the rows with zeros on the right."""
    import torch

    padded = torch.zeros_like(like)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = torch.tensor(row)
    return padded


def _search(model: Any, decoding: Decoding, places: list[int]) -> tuple[Callable[..., Any], Any]:
    """The loop over tokens, and what draws them, where they are drawn."""
    from hf_tasks.decoding.loops import Sampler, beam_search, one_path, uniforms

    assert decoding.max_new_tokens is not None
    match decoding:
        case Beam():
            return beam_search, None
        case Sampling():
            sampler = Sampler(uniforms(decoding.seed, places, decoding.outputs, decoding.max_new_tokens), model.device)
            return partial(one_path, choose=sampler), sampler
        case _:
            return one_path, None


def _ends(model: Any, tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """The tokens that end a text."""
    ends = model.generation_config.eos_token_id
    if ends is None:
        ends = tokenizer.eos_token_id
    return [] if ends is None else ends if isinstance(ends, list) else [ends]


def _cut(sequences: "Tensor", ends: list[int], limit: int, config: Any) -> "Tensor":
    """(rows,) whether a text has no token that ends it; a last token that the checkpoint forces to be one is none."""
    import torch

    free = sequences if config.forced_eos_token_id is None else sequences[:, : limit - 1]
    return ~torch.isin(free, torch.tensor(ends, device=sequences.device)).any(1)


def _by_length(features: Sequence[Features], batch_size: int) -> Iterator[list[int]]:
    order = sorted(range(len(features)), key=lambda i: -len(features[i]["input_ids"]))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


@contextmanager
def _for_inference(model: Any, decoding: Decoding) -> Iterator[None]:
    """Neither dropout nor gradients, and training's random numbers stay as they are."""
    import torch

    was_training, sampled = model.training, decoding.options()["do_sample"]
    devices = [model.device] if model.device.type == "cuda" else []
    model.eval()
    try:
        with torch.inference_mode(), torch.random.fork_rng(devices, enabled=sampled):
            yield
    finally:
        model.train(was_training)


@contextmanager
def _without_settings(model: Any) -> Iterator[None]:
    """Of the checkpoint's own settings for `generate`, its special tokens alone."""
    before = model.generation_config
    model.generation_config = special_tokens(before)
    try:
        yield
    finally:
        model.generation_config = before
