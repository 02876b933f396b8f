"""New decoder-only models: sizes, tokens, limits, and that a run of one loads plainly and writes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM

import hf_tasks
from hf_tasks.core.errors import RecipeError
from hf_tasks.models.load import load_model, load_tokenizer
from hf_tasks.models.section import Model, Subwords
from hf_tasks.recipe import from_dict
from hf_tasks.tasks import TextGeneration

TASK = TextGeneration(name="text-generation", separator="\nTL;DR:", max_target_length=16, max_length=48)
GPT2 = {"model_type": "gpt2", "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 64}
ROWS = [{"prompt": f"A: {word} at one?\nB: Fine.", "completion": f"They have {word}."} for word in ("tea", "lunch") * 4]


def test_sizes_tokens_and_limit() -> None:
    section = Model(config=GPT2, tokenizer=Subwords(vocab_size=300))
    examples = Dataset.from_list([TASK.parse(row) for row in ROWS])
    tokenizer = load_tokenizer(section, TASK, examples)
    assert tokenizer.decode(tokenizer("\nTL;DR:", add_special_tokens=False)["input_ids"]) == "\nTL;DR:"
    torch.manual_seed(0)
    model: Any = load_model(section, TASK, tokenizer)
    assert (model.config.n_embd, model.config.vocab_size, tokenizer.model_max_length) == (16, len(tokenizer), 64)
    tokens = model.generation_config
    assert (tokens.pad_token_id, tokens.eos_token_id, tokens.bos_token_id) == (0, 1, None)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"config": GPT2 | {"model_type": "bert"}},
         'model.config.model_type: there is no decoder-only model "bert"; for example gpt2 or llama'),
        ({"config": GPT2 | {"n_layers": 2}}, 'model.config.n_layers: gpt2 has no such key; did you mean "n_layer"?'),
        ({"config": GPT2 | {"n_head": 3}}, "model.config: "),
        ({"name_or_path": "a", "decoder_name_or_path": "b"},
         "model.decoder_name_or_path: text-generation has no encoder; give name_or_path alone"),
    ],
)  # fmt: skip
def test_what_cannot_be_built(section: dict[str, Any], problem: str) -> None:
    known = Model(config=GPT2, tokenizer=Subwords(vocab_size=300))
    tokenizer = load_tokenizer(known, TASK, Dataset.from_list([TASK.parse(row) for row in ROWS]))
    with pytest.raises(RecipeError) as error:
        load_model(Model(**section), TASK, tokenizer)
    assert str(error.value).startswith(problem)


def test_a_run_from_scratch_loads_plainly(tmp_path: Path) -> None:
    data = tmp_path / "train.jsonl"
    data.write_text(Dataset.from_list(ROWS).to_pandas().to_json(orient="records", lines=True), encoding="utf-8")
    recipe = from_dict(
        {
            "name": "small", "task": TASK.given() | {"keep": "turns"},
            "data": {"train": str(data), "validation_size": 0},
            "model": {"config": GPT2, "tokenizer": {"vocab_size": 300}},
            "training": {"num_train_epochs": 1, "batch_size": 4, "bf16": False, "output_dir": str(tmp_path / "run")},
        }
    )  # fmt: skip
    run = hf_tasks.train(recipe)
    plain = AutoModelForCausalLM.from_pretrained(run.path)
    assert plain.config.n_layer == 1
    assert isinstance(run.predict("A: tea?")["prediction"], str)
