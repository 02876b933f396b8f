"""Every method on the tasks whose inputs or models have a shape of their own: several choices, a decoder alone, masked
tokens."""

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Tiny
from samples import SAMPLES, Sample

from hf_tasks import data
from hf_tasks.core.errors import RecipeError
from hf_tasks.models.load import load_tokenizer
from hf_tasks.recipe import from_dict
from hf_tasks.runs import evaluation, model_files
from hf_tasks.tasks.collate import model_inputs

SHAPES = {
    sample.task["name"]: sample
    for sample in SAMPLES
    if sample.task["name"] in ("multiple-choice", "text-generation", "fill-mask", "sentence-similarity")
}
WITHOUT_POOLER = ("text-generation", "sentence-similarity")
"""Tasks whose outputs do not read the pooler of the encoder."""
METHODS: dict[str, dict[str, Any]] = {
    "full": {"name": "full"},
    "layer decay": {"name": "full", "layer_decay": 0.5},
    "gradual unfreezing": {"name": "gradual-unfreezing"},
    "bitfit": {"name": "bitfit"},
    "houlsby": {"name": "bottleneck-adapter", "reduction_factor": 2},
    "pfeiffer": {"name": "bottleneck-adapter", "variant": "pfeiffer", "reduction_factor": 2},
    "lora": {"name": "lora"},
    "frozen": {"name": "frozen"},
    "prompt-tuning": {"name": "prompt-tuning", "num_virtual_tokens": 4},
}
REFUSED = {
    ("text-generation", "frozen"): "frozen trains the head above the last layer, and GPT2LMHeadModel has none of its",
    (
        "multiple-choice",
        "prompt-tuning",
    ): "PEFT cannot adapt BertForMultipleChoice by prompt-tuning: it has no",
    ("sentence-similarity", "frozen"): "sentence-similarity has no head that frozen could train",
    (
        "sentence-similarity",
        "gradual unfreezing",
    ): "sentence-similarity has no head that gradual-unfreezing could train",
    ("sentence-similarity", "prompt-tuning"): "PEFT cannot adapt BertModel by prompt-tuning: it has no prompts",
    ("fill-mask", "prompt-tuning"): "PEFT cannot adapt BertForMaskedLM by prompt-tuning: it has no prompts",
}


def made(tiny: Tiny, sample: Sample, method: dict[str, Any]) -> tuple[Any, Any, Any, dict[str, Any]]:
    """(task, tokenizer, model, a batch)"""
    sections = {
        "name": "x", "task": sample.task | {"max_length": 32}, "data": {"train": "t"}, "method": method,
        "model": {"name_or_path": str(tiny(sample.architecture))},
    }  # fmt: skip
    recipe = from_dict(sections)
    examples = data.read_rows(sample.rows, recipe.task, labelled=True).examples
    recipe = recipe.model_copy(update={"task": recipe.task.fit(examples)})
    tokenizer = load_tokenizer(recipe.model, recipe.task)
    torch.manual_seed(0)
    model = model_files.build_model(recipe, tokenizer)
    split = evaluation.encode(examples, recipe.task, tokenizer)
    return recipe, tokenizer, model, recipe.task.collator(tokenizer, model)(split.features.to_list())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SHAPES)
def test_a_step_moves_what_is_trained_and_nothing_else(tiny: Tiny, name: str, method: str) -> None:
    if (name, method) in REFUSED:
        with pytest.raises(RecipeError) as error:
            made(tiny, SHAPES[name], METHODS[method])
        assert REFUSED[name, method] in str(error.value)
        return
    recipe, _, model, batch = made(tiny, SHAPES[name], METHODS[method])
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.1, weight_decay=0.1)
    for _ in range(2):  # LoRA's second matrix begins at 0, and the first one then has no gradient
        recipe.task.loss(model(**model_inputs(batch)), batch).backward()
        optimizer.step()
        optimizer.zero_grad()
    moved = {key for key, p in model.named_parameters() if not torch.equal(p, before[key])}
    promised = {key for key, p in model.named_parameters() if p.requires_grad}
    read = {key for key in promised if "pooler" not in key} if name in WITHOUT_POOLER else promised
    assert moved == read
    every = {key for key in before if "pooler" not in key or name not in WITHOUT_POOLER}
    assert (len(moved) == len(every)) == (METHODS[method]["name"] in ("full", "gradual-unfreezing"))


@pytest.mark.parametrize("name", ["multiple-choice", "fill-mask"])
@pytest.mark.parametrize("method", ["bitfit", "houlsby", "lora", "frozen"])
def test_what_was_trained_comes_back(tiny: Tiny, tmp_path: Path, method: str, name: str) -> None:
    recipe, tokenizer, model, batch = made(tiny, SHAPES[name], METHODS[method])
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1
        expected = model.eval()(**model_inputs(batch))["logits"]
        model_files.save(recipe, model, tmp_path)
        found = model_files.load(recipe, tmp_path, tokenizer).eval()(**model_inputs(batch))["logits"]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
