"""Text in, text out: the same text as a plain `model.generate`, sentence by sentence, in any batches."""

import copy
from typing import Any

import pytest
import torch
from conftest import Tiny
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    BartConfig,
    BartForConditionalGeneration,
    GenerationConfig,
    GPT2Config,
)  # fmt: skip

from hf_tasks.decoding import MBR, Beam, Decoding, Greedy, Sample
from hf_tasks.decoding.generate import generate
from hf_tasks.decoding.mbr import mbr
from hf_tasks.decoding.strategies import special_tokens
from hf_tasks.decoding.utilities import UTILITIES

PROMPTS = ["the good film", "a", "when you came to london and saw the queen", "mary lives", "bad bad bad book", "x9"]
STEPS = 7


@pytest.fixture(scope="module")
def tokenizer(tiny: Tiny) -> Any:
    return AutoTokenizer.from_pretrained(tiny("t5"))


@pytest.fixture(scope="module")
def model(tiny: Tiny) -> Any:
    """A tiny T5 whose weights are large enough to say something else for each prompt, and to end some texts early."""
    return _lively(AutoModelForSeq2SeqLM.from_pretrained(tiny("t5")))


@pytest.fixture(scope="module")
def decoder(tokenizer: Any) -> Any:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=64, bos_token_id=1, eos_token_id=1
    )
    return _lively(AutoModelForCausalLM.from_config(config))


def _lively(model: Any) -> Any:
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and "shared" not in name and "wte" not in name:
                parameter.copy_(torch.randn_like(parameter) * 0.3)
    return model.eval()


def texts(model: Any, tokenizer: Any, decoding: Decoding, batch_size: int = 64) -> list[str]:
    return [one.text for one in generate(model, tokenizer, PROMPTS, decoding, batch_size)]


@pytest.mark.parametrize("batch_size", [1, 4, 64])
@pytest.mark.parametrize(
    ("decoding", "options"),
    [
        (Greedy(name="greedy", max_new_tokens=STEPS), {}),
        (Greedy(name="greedy", max_new_tokens=STEPS, no_repeat_ngram_size=1), {"no_repeat_ngram_size": 1}),
        (Beam(name="beam", num_beams=3, max_new_tokens=STEPS), {"num_beams": 3}),
        (
            Beam(name="beam", num_beams=2, length_penalty=2.0, early_stopping=True, max_new_tokens=STEPS),
            {"num_beams": 2, "length_penalty": 2.0, "early_stopping": True},
        ),
    ],
)
def test_texts_are_those_of_generate_one_by_one(
    model: Any, tokenizer: Any, decoding: Decoding, options: dict[str, Any], batch_size: int
) -> None:
    found = texts(model, tokenizer, decoding, batch_size)
    plain = [
        tokenizer.decode(
            model.generate(**tokenizer(prompt, return_tensors="pt"), max_new_tokens=STEPS, **options)[0],
            skip_special_tokens=True,
        )
        for prompt in PROMPTS
    ]
    assert found == plain
    assert len(set(found)) > 3


@pytest.mark.parametrize("batch_size", [1, 4])
def test_decoder_only_models_pad_left_and_leave_the_prompt_out(decoder: Any, tokenizer: Any, batch_size: int) -> None:
    found = texts(decoder, tokenizer, Greedy(name="greedy", max_new_tokens=STEPS), batch_size)
    plain = []
    for prompt in PROMPTS:
        batch = tokenizer(prompt, return_tensors="pt")
        ids = decoder.generate(**batch, max_new_tokens=STEPS, pad_token_id=0)[0, batch["input_ids"].shape[1] :]
        plain.append(tokenizer.decode(ids, skip_special_tokens=True))
    assert found == plain
    assert len(set(found)) > 3
    assert tokenizer.padding_side == "right"


def test_the_length_is_ours_and_never_a_default(model: Any, tokenizer: Any) -> None:
    """20 tokens is transformers' default, and a checkpoint may have one of its own."""
    endless = Greedy(name="greedy", max_new_tokens=45, min_new_tokens=45)
    model.generation_config.max_length, before = 5, model.generation_config.max_length
    found = generate(model, tokenizer, PROMPTS, endless)
    model.generation_config.max_length = before
    assert {len(tokenizer(one.text, add_special_tokens=False)["input_ids"]) > 20 for one in found} == {True}
    assert [one.cut for one in found] == [True] * len(PROMPTS)


def test_cut_says_which_texts_reached_the_limit(model: Any, tokenizer: Any) -> None:
    decoding = Sample(name="sample", max_new_tokens=60, temperature=9.0)
    found = {one.cut for one in generate(model, tokenizer, PROMPTS * 4, decoding)}
    assert found == {True, False}


def test_a_model_that_forces_the_last_token_to_end_the_text_is_cut_too(tokenizer: Any) -> None:
    torch.manual_seed(0)
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = BartConfig(
        vocab_size=len(tokenizer), **sizes, **heads, pad_token_id=0, eos_token_id=1, bos_token_id=2,
        forced_eos_token_id=1, decoder_start_token_id=1,
    )  # fmt: skip
    bart = _lively(BartForConditionalGeneration(config))
    found = generate(bart, tokenizer, PROMPTS, Greedy(name="greedy", max_new_tokens=5))
    assert [one.cut for one in found] == [True] * len(PROMPTS)


def test_a_text_that_ends_by_itself_on_the_last_token_is_not_cut(model: Any, tokenizer: Any) -> None:
    once: dict[str, Any] = {"no_repeat_ngram_size": 1}
    tokens = model.generate(**tokenizer(PROMPTS[0], return_tensors="pt"), max_new_tokens=4, **once)[0, 1:].tolist()
    before = model.generation_config.eos_token_id
    model.generation_config.eos_token_id = [1, tokens[3]]
    try:
        limits = [Greedy(name="greedy", max_new_tokens=limit, **once) for limit in (3, 4, 5)]
        found = [generate(model, tokenizer, PROMPTS[:1], limit)[0].cut for limit in limits]
    finally:
        model.generation_config.eos_token_id = before
    assert found == [True, False, False]


def test_a_checkpoint_gives_its_special_tokens_and_no_other_setting() -> None:
    """Every field of the installed GenerationConfig."""
    config = GenerationConfig()
    fields = [name for name in vars(config) if name not in ("_from_model_config", "transformers_version")]
    for i, name in enumerate(fields):
        setattr(config, name, i + 1)
    config.bad_words_ids = [[7], [config.pad_token_id]]
    kept = {name: value for name, value in vars(special_tokens(config)).items() if value is not None}
    ids = {name: i + 1 for i, name in enumerate(fields) if name.endswith("_token_id")}
    assert ids.keys() == {
        f"{kind}_token_id" for kind in ("bos", "decoder_start", "eos", "forced_bos", "forced_eos", "pad")
    }
    own = {name: value for name, value in vars(GenerationConfig()).items() if value is not None}
    assert kept == own | ids | {"bad_words_ids": [[config.pad_token_id]]}
    assert special_tokens(GenerationConfig(pad_token_id=0, bad_words_ids=[[7]])).bad_words_ids is None


SETTINGS: dict[str, Any] = {
    "begin_suppress_tokens": list(range(20, 60)),
    "bad_words_ids": [[i] for i in range(20, 60)],
    "do_sample": True,
    "encoder_no_repeat_ngram_size": 1,
    "encoder_repetition_penalty": 9.0,
    "epsilon_cutoff": 0.2,
    "eta_cutoff": 0.2,
    "exponential_decay_length_penalty": (1, 9.0),
    "guidance_scale": 3.0,
    "length_penalty": -9.0,
    "max_time": 1e-9,
    "min_length": 7,
    "min_new_tokens": 7,
    "min_p": 0.9,
    "no_repeat_ngram_size": 1,
    "num_beams": 3,
    "prompt_lookup_num_tokens": 2,
    "repetition_penalty": 9.0,
    "sequence_bias": [[[5], 99.0]],
    "stop_strings": ["a"],
    "suppress_tokens": list(range(20, 60)),
    "temperature": 0.01,
    "token_healing": True,
    "top_h": 0.1,
    "top_k": 1,
    "top_p": 0.1,
    "typical_p": 0.1,
    "watermarking_config": {"bias": 9.0},
}


@pytest.mark.parametrize(
    "decoding",
    [
        Greedy(name="greedy", max_new_tokens=STEPS),
        Beam(name="beam", num_beams=2, max_new_tokens=STEPS),
        Sample(name="sample", max_new_tokens=STEPS),
        MBR(name="mbr", num_samples=4, max_new_tokens=STEPS),
    ],
)
def test_no_setting_of_the_checkpoint_changes_a_text(model: Any, tokenizer: Any, decoding: Decoding) -> None:
    expected, before = generate(model, tokenizer, PROMPTS, decoding), model.generation_config
    saved = decoding.saved_config(model).to_dict()
    try:
        for one in [*({name: value} for name, value in SETTINGS.items()), SETTINGS]:
            model.generation_config = copy.deepcopy(before)
            model.generation_config.update(**one)
            given = model.generation_config
            assert generate(model, tokenizer, PROMPTS, decoding) == expected, one
            assert model.generation_config is given
            assert decoding.saved_config(model).to_dict() == saved, one
    finally:
        model.generation_config = before


def test_samples_depend_on_seed_and_place_and_not_on_batches(model: Any, tokenizer: Any) -> None:
    drawn = Sample(name="sample", max_new_tokens=STEPS, seed=1)
    first = texts(model, tokenizer, drawn, 64)
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    assert texts(model, tokenizer, drawn, 1) == texts(model, tokenizer, drawn, 4) == first
    assert torch.equal(torch.random.get_rng_state(), before)
    assert texts(model, tokenizer, drawn.model_copy(update={"seed": 2}), 64) != first
    twice = [one.text for one in generate(model, tokenizer, [PROMPTS[0]] * 8, drawn)]
    assert len(set(twice)) > 4


def test_samples_follow_the_model_s_distribution(model: Any, tokenizer: Any) -> None:
    n = 3000
    found = generate(model, tokenizer, ["mary lives"] * n, Sample(name="sample", max_new_tokens=1), n)
    batch = tokenizer("mary lives", return_tensors="pt")
    with torch.inference_mode():
        logits = model(**batch, decoder_input_ids=torch.tensor([[0]])).logits[0, 0]
    top = logits.softmax(-1).topk(3)
    for probability, token in zip(top.values.tolist(), top.indices.tolist(), strict=True):
        share = sum(one.text == tokenizer.decode([token], skip_special_tokens=True) for one in found) / n
        assert share == pytest.approx(probability, abs=4 * (probability * (1 - probability) / n) ** 0.5)


@pytest.mark.parametrize("how", [{"top_k": 1}, {"top_p": 1e-6}, {"epsilon_cutoff": 0.9}, {"temperature": 1e-4}])
def test_each_key_of_sampling_leaves_the_likeliest_token(model: Any, tokenizer: Any, how: dict[str, Any]) -> None:
    greedy = texts(model, tokenizer, Greedy(name="greedy", max_new_tokens=STEPS))
    assert texts(model, tokenizer, Sample(name="sample", max_new_tokens=STEPS, **how)) == greedy


@pytest.mark.parametrize("separate", [None, 5])
def test_mbr_chooses_among_the_samples_by_expected_utility(model: Any, tokenizer: Any, separate: int | None) -> None:
    decoding = MBR(name="mbr", num_samples=6, num_references=separate, max_new_tokens=STEPS, seed=4)
    found = generate(model, tokenizer, PROMPTS, decoding)
    every = MBR(name="mbr", num_samples=6 + (separate or 0), max_new_tokens=STEPS, seed=4)
    samples = _candidates(model, tokenizer, every)
    for one, candidates in zip(found, samples, strict=True):
        references = candidates[6:] if separate else candidates
        choice = mbr(candidates[:6], UTILITIES["chrf"], references)
        assert one.text == candidates[choice.index]
        assert one.choice == {"expected_utility": pytest.approx(choice.expected[choice.index])}


def _candidates(model: Any, tokenizer: Any, decoding: MBR) -> list[list[str]]:
    """All samples of each prompt."""
    seen: list[list[str]] = []

    class Spy(MBR):
        def select(self, candidates: list[str], log_probabilities: Any) -> Any:
            seen.append(candidates)
            return 0, {}

    generate(model, tokenizer, PROMPTS, Spy(**decoding.model_dump()))
    order = sorted(range(len(PROMPTS)), key=lambda i: -len(tokenizer(PROMPTS[i])["input_ids"]))
    return [seen[order.index(i)] for i in range(len(PROMPTS))]


def test_the_encoder_runs_once_for_all_samples(model: Any, tokenizer: Any) -> None:
    rows: list[int] = []
    hook = model.encoder.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    try:
        generate(model, tokenizer, PROMPTS, MBR(name="mbr", num_samples=10, max_new_tokens=STEPS), 30)
    finally:
        hook.remove()
    assert rows == [3, 3]


def test_no_prompts_give_no_texts(model: Any, tokenizer: Any) -> None:
    assert generate(model, tokenizer, [], Greedy(name="greedy", max_new_tokens=3)) == []


def test_the_model_is_left_as_it_was(model: Any, tokenizer: Any) -> None:
    model.train()
    try:
        generate(model, tokenizer, PROMPTS[:1], Greedy(name="greedy", max_new_tokens=3))
        assert model.training
    finally:
        model.eval()
