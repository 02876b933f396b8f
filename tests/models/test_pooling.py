"""Pooling: the head reads the mean or maximum over the tokens of the mask, whatever the method, and it comes back."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Tiny
from transformers import AutoModelForSequenceClassification, GPT2Config, GPT2ForSequenceClassification

from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.models.layers import pretrained_layers
from hf_tasks.models.load import load_tokenizer
from hf_tasks.models.pooling import pool
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.runs import model_files
from hf_tasks.runs.export import export
from hf_tasks.training import train

IDS = torch.tensor([[2, 9, 10, 11, 12, 13, 3], [2, 14, 15, 3, 0, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0]])
METHODS: tuple[dict[str, Any], ...] = (
    {"name": "full"}, {"name": "frozen"}, {"name": "bitfit"}, {"name": "gradual-unfreezing"}, {"name": "lora"},
    {"name": "bottleneck-adapter", "reduction_factor": 4},
)  # fmt: skip


def recipe_of(folder: Path, method: dict[str, Any], pooling: str = "mean", **sections: Any) -> Recipe:
    classes = {"name": "text-classification", "labels": ["bad", "good"], "metrics": ["accuracy"],
               "problem_type": "single_label_classification"}  # fmt: skip
    model = {"name_or_path": str(folder), "pooling": pooling}
    data = {"train": "rows.jsonl"}
    return from_dict({"name": "p", "task": classes, "data": data, "model": model, "method": method} | sections)


def assembled(recipe: Recipe) -> Any:
    torch.manual_seed(0)
    return model_files.build_model(recipe, load_tokenizer(recipe.model, recipe.task)).eval()


def by_hand(states: torch.Tensor, pooling: str) -> torch.Tensor:
    rows = [row[: int(mask.sum())] for row, mask in zip(states, MASK, strict=True)]
    return torch.stack([row.mean(0) if pooling == "mean" else row.max(0).values for row in rows])


@pytest.mark.parametrize("pooling", ["mean", "max"])
@pytest.mark.parametrize("architecture", ["bert", "albert", "roberta", "distilbert"])
def test_the_head_reads_the_tokens_of_the_mask(tiny: Tiny, architecture: str, pooling: str) -> None:
    model = assembled(recipe_of(tiny(architecture), {"name": "full"}, pooling))
    plain = assembled(recipe_of(tiny(architecture), {"name": "full"}, "cls"))
    with torch.no_grad():
        found = model(input_ids=IDS, attention_mask=MASK).logits
        states = plain.base_model(input_ids=IDS, attention_mask=MASK).last_hidden_state
        first = by_hand(states, pooling)
        if architecture in ("bert", "albert"):
            expected = plain.classifier(first)
        elif architecture == "roberta":
            expected = plain.classifier(first[:, None])
        else:
            expected = plain.classifier(torch.relu(plain.pre_classifier(first)))
        assert not [name for name, _ in model.named_parameters() if "pooler" in name]
        assert not torch.allclose(plain(input_ids=IDS, attention_mask=MASK).logits, found, atol=1e-4)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(model(input_ids=IDS[1:, :4], attention_mask=MASK[1:, :4]).logits, found[1:])


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method["name"])
def test_every_method_saves_what_comes_back_and_transformers_does_not_load(
    tiny: Tiny, tmp_path: Path, method: dict[str, Any]
) -> None:
    recipe = recipe_of(tiny("bert"), method)
    tokenizer = load_tokenizer(recipe.model, recipe.task)
    model = assembled(recipe)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p) * p.requires_grad)
        expected = model(input_ids=IDS, attention_mask=MASK).logits
        assert not torch.allclose(twin(input_ids=IDS, attention_mask=MASK).logits, expected)
    model_files.save(recipe, model, tmp_path)
    with torch.no_grad():
        again = model_files.load(recipe, tmp_path, tokenizer).eval()(input_ids=IDS, attention_mask=MASK).logits
    assert torch.equal(again, expected)
    with pytest.raises(OSError, match=r"model\.safetensors"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path, config=model.config)


def test_a_head_that_reads_the_last_token_is_refused() -> None:
    model = GPT2ForSequenceClassification(GPT2Config(vocab_size=32, n_embd=8, n_layer=1, n_head=1, pad_token_id=0))
    problem = r"^model\.pooling: the head of GPT2ForSequenceClassification does not read the first token; remove it, "
    with pytest.raises(RunError, match=problem):
        pool(model, pretrained_layers(model).stacks[0], "mean")


def test_other_tasks_have_no_pooling() -> None:
    with pytest.raises(RecipeError, match=r"model\.pooling: token-classification uses the vector of every token"):
        recipe_of(Path("x"), {"name": "full"}, task={"name": "token-classification"})


def test_a_run_with_the_states_of_a_frozen_encoder_is_verified(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """States are kept and played to the head; a fresh process computes the same from what is saved."""
    monkeypatch.setenv("HF_TASKS_CACHE", str(tmp_path / "cache"))
    rows = [f'{{"text": "the {w} film", "label": "{label}"}}' for w, label in (("good", "good"), ("bad", "bad"))] * 6
    (tmp_path / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    data = {"train": str(tmp_path / "rows.jsonl"), "validation_size": 0}
    training = {"num_train_epochs": 1, "output_dir": str(tmp_path / "run")}
    run = train(recipe_of(tiny("bert"), {"name": "frozen"}, data=data, training=training))
    assert "  cache  " in capsys.readouterr().err
    assert list((tmp_path / "cache").glob("features/*/states.f32"))
    assert sorted(run.predict(text="the good film")["probabilities"]) == ["bad", "good"]
    with pytest.raises(RunError, match=r"^model\.pooling: transformers has no model with this pooling; use"):
        export(run, tmp_path / "out", merge=True)
