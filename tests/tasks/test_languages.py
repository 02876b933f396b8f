"""Tokenizers that mark a text's language: what is read, learned, and written first."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import MBart50Tokenizer, MBartConfig, MBartForConditionalGeneration

from hf_tasks.core.errors import RecipeError
from hf_tasks.decoding import Greedy
from hf_tasks.decoding.generate import generate
from hf_tasks.models.load import load_model, load_tokenizer
from hf_tasks.models.section import Model
from hf_tasks.tasks import TextToText

TASK = TextToText(name="translation", source_language="en_XX", target_language="de_DE")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny mBART-50."""
    folder = tmp_path_factory.mktemp("mbart50")
    pieces = ["<unk>", "<s>", "</s>", *(f"▁{letter}" for letter in "abcdef")]
    tokenizer = MBart50Tokenizer(vocab=[(piece, -1.0) for piece in pieces])
    sizes: dict[str, Any] = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    sizes |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 32}
    config = MBartConfig(
        vocab_size=len(tokenizer), d_model=16, **sizes, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        decoder_start_token_id=2,
    )  # fmt: skip
    torch.manual_seed(0)
    MBartForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_sources_targets_and_outputs_begin_with_their_languages(place: Path) -> None:
    section = Model(name_or_path=str(place))
    tokenizer = load_tokenizer(section, TASK)
    model = load_model(section, TASK, tokenizer)
    english, german, end = tokenizer.convert_tokens_to_ids(["en_XX", "de_DE", "</s>"])
    features = TASK.encode({"source": ["a b"], "target": [["c"]]}, tokenizer)
    a, b, c = tokenizer.convert_tokens_to_ids(["▁a", "▁b", "▁c"])
    assert features["input_ids"] == [[english, a, b, end]]
    assert features["labels"] == [[german, c, end]]
    assert model.generation_config.forced_bos_token_id == german
    seen = []
    model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["decoder_input_ids"][0].tolist()), with_kwargs=True
    )
    generate(model, tokenizer, ["a b"], Greedy(name="greedy", max_new_tokens=3))
    assert seen[:2] == [[end], [german]]


def test_a_language_that_the_tokenizer_does_not_know(place: Path) -> None:
    task = TASK.model_copy(update={"source_language": "en"})
    with pytest.raises(RecipeError) as e:
        load_tokenizer(Model(name_or_path=str(place)), task)
    assert str(e.value).startswith(
        "task.source_language, task.target_language: the tokenizer does not know en and de_DE; use its own codes (among"
    )
    assert "de_DE" in str(e.value).partition("among")[2]


def test_a_tokenizer_without_languages_is_left_alone(tiny: Any) -> None:
    task = TASK.model_copy(update={"source_language": "en", "target_language": "ro"})
    section = Model(name_or_path=str(tiny("t5")))
    tokenizer = load_tokenizer(section, task)
    assert load_model(section, task, tokenizer).generation_config.forced_bos_token_id is None
