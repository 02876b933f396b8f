"""The generation loops give the tokens of transformers, and sampling depends on the seed and the prompt alone."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    EpsilonLogitsWarper,
    GPT2Config,
    GPT2LMHeadModel,
    LogitsProcessor,
    MarianConfig,
    MarianMTModel,
    T5Config,
    T5ForConditionalGeneration,
    TopKLogitsWarper,
    TopPLogitsWarper,
)  # fmt: skip

from hf_tasks.decoding.loops import Sampler, beam_search, one_path, uniforms

WORDS, PAD, END, START, STEPS = 40, 3, 1, 2, 12
ENDS = {"pad_token_id": PAD, "eos_token_id": END, "decoder_start_token_id": START}
SIZES = {"vocab_size": WORDS, "d_model": 16, "encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 16} | {
    "decoder_ffn_dim": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2
}  # fmt: skip


def bert2bert() -> Any:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    encoder, decoder = BertConfig(vocab_size=WORDS, **sizes), BertConfig(vocab_size=WORDS, **sizes)
    config = EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder, **ENDS)
    return EncoderDecoderModel(config)


BUILD = {
    "marian": lambda: MarianMTModel(MarianConfig(**SIZES, **ENDS, forced_eos_token_id=None)),
    "bart": lambda: BartForConditionalGeneration(BartConfig(**SIZES, **ENDS, forced_eos_token_id=END)),
    "t5": lambda: T5ForConditionalGeneration(
        T5Config(vocab_size=WORDS, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2, **ENDS)
    ),
    "bert2bert": bert2bert,
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=WORDS, n_embd=16, n_layer=2, n_head=2, eos_token_id=END)),
}


def built(name: str) -> Any:
    """A model whose weights are large enough to end its texts at different lengths."""
    torch.manual_seed(3)
    model = BUILD[name]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.copy_(torch.randn_like(parameter) * 0.6)
    return model


def prompts(model: Any) -> dict[str, torch.Tensor]:
    ids = torch.randint(4, WORDS, (10, 6), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    short = (slice(0, 4), slice(3, None) if model.config.is_encoder_decoder else slice(0, 3))
    ids[short], mask[short] = PAD, 0
    return {"input_ids": ids, "attention_mask": mask}


def both(model: Any, loop: Any, **options: Any) -> tuple[list[list[int]], list[list[int]]]:
    """(transformers' tokens, ours), without the padding."""
    inputs, common = prompts(model), {"max_new_tokens": STEPS, "pad_token_id": PAD, "do_sample": False}
    found = [model.generate(**inputs, **common, **options, **ours) for ours in ({}, {"custom_generate": loop})]
    first, second = ([[token for token in row if token != PAD] for row in ids.tolist()] for ids in found)
    return first, second


@pytest.mark.parametrize("name", BUILD)
@pytest.mark.parametrize(
    "options",
    [{}, {"no_repeat_ngram_size": 2, "min_new_tokens": 4}, {"use_cache": False}],
    ids=["", "rules", "no cache"],
)
def test_one_path_is_transformers_own(name: str, options: dict[str, Any]) -> None:
    theirs, ours = both(built(name), one_path, **options)
    assert ours == theirs
    assert len({tuple(row) for row in ours}) > 3


@pytest.mark.parametrize("name", BUILD)
@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 2},
        {"num_beams": 5},
        {"num_beams": 5, "length_penalty": 3.0},
        {"num_beams": 3, "length_penalty": -1.0},
        {"num_beams": 4, "early_stopping": True},
        {"num_beams": 3, "no_repeat_ngram_size": 1, "min_new_tokens": 5},
        {"num_beams": 3, "use_cache": False},
    ],
    ids=str,
)
def test_beam_search_is_transformers_own(name: str, options: dict[str, Any]) -> None:
    theirs, ours = both(built(name), beam_search, **options)
    assert ours == theirs


@pytest.mark.parametrize(("loop", "options"), [(one_path, {}), (beam_search, {"num_beams": 3})], ids=["one", "beam"])
def test_several_tokens_may_end_a_text(loop: Any, options: dict[str, Any]) -> None:
    theirs, ours = both(built("t5"), loop, **options, eos_token_id=[END, 7, 11, 20])
    assert ours == theirs
    assert {row[-1] for row in ours} - {END}


def test_rows_that_are_finished_are_followed_no_more() -> None:
    model, rows = built("t5"), list[int]()
    model.decoder.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    options = {"max_new_tokens": STEPS, "pad_token_id": PAD, "eos_token_id": [END, *range(25, WORDS)]}
    texts = model.generate(**prompts(model), **options, custom_generate=one_path)
    lengths = [int((text[1:] != PAD).sum()) for text in texts]
    assert len(set(lengths)) > 1
    assert sum(rows) == sum(lengths)
    rows.clear()
    model.generate(**prompts(model), **options, num_beams=2, early_stopping=True, custom_generate=beam_search)
    assert rows[0] == 20
    assert rows == sorted(rows, reverse=True)
    assert rows[-1] < 20


PROBABILITIES = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
BOTH = torch.arange(2)


def chosen(numbers: list[float], *warpers: LogitsProcessor) -> list[int]:
    scores = PROBABILITIES.log()
    for warper in warpers:
        scores = warper(None, scores)
    return Sampler(np.array(numbers)[:, None])(BOTH, PROBABILITIES.log(), scores).tolist()


@pytest.mark.parametrize(
    ("number", "first", "second"), [(0.0, 0, 0), (0.05, 0, 0), (0.15, 1, 0), (0.45, 2, 1), (0.65, 3, 1), (0.95, 3, 3)]
)
def test_a_number_is_a_place_in_the_cumulative_distribution(number: float, first: int, second: int) -> None:
    assert chosen([number, number]) == [first, second]


def test_tokens_that_are_cut_off_are_never_drawn() -> None:
    almost_1 = float(np.nextafter(1.0, 0.0))
    assert chosen([0.0, almost_1], TopKLogitsWarper(2)) == [2, 1]
    assert chosen([0.0, almost_1], EpsilonLogitsWarper(0.25)) == [2, 1]
    assert chosen([0.0, almost_1], TopPLogitsWarper(0.6)) == [2, 1]
    assert chosen([almost_1, 0.0], TopKLogitsWarper(1)) == [3, 0]


def test_the_log_probability_is_of_the_text_under_the_whole_model() -> None:
    sampler = Sampler(np.array([[0.45, 0.0, 0.65], [0.95, 0.45, 0.0]]))
    logits = PROBABILITIES.log() + 3
    cut = TopKLogitsWarper(3)(None, logits)
    drawn = [sampler(BOTH, logits, cut).tolist() for _ in range(3)]
    assert list(zip(*drawn, strict=True)) == [(2, 1, 3), (2, 1, 0)]
    assert sampler.log_probabilities.tolist() == pytest.approx(
        [np.log(0.3 * 0.2 * 0.4), np.log(0.2 * 0.3 * 0.4)], abs=1e-6
    )


def test_rows_that_have_left_draw_no_more() -> None:
    sampler = Sampler(np.array([[0.95, 0.0], [0.0, 0.95]]))
    assert sampler(BOTH, PROBABILITIES.log(), PROBABILITIES.log()).tolist() == [3, 0]
    second = PROBABILITIES[1:].log()
    assert sampler(torch.tensor([1]), second, second).tolist() == [3]
    assert sampler.log_probabilities.tolist() == pytest.approx([np.log(0.4), np.log(0.4 * 0.1)], abs=1e-6)


def test_each_prompt_has_numbers_of_its_own() -> None:
    both = uniforms(3, [4, 7], 2, 5)
    assert both.shape == (4, 5)
    assert np.array_equal(both[2:], uniforms(3, [7], 2, 5))
    assert not np.array_equal(both[:2], both[2:])
    assert not np.array_equal(both, uniforms(4, [4, 7], 2, 5))
