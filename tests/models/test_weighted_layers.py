"""Weighted layers: what the head reads is the mix of all states, whatever the method; it trains, and comes back."""

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from conftest import Tiny
from peft import PeftModel
from safetensors.torch import load_file
from torch import Tensor, nn

from hf_tasks.core.checkpoint_paths import quiet_transformers
from hf_tasks.core.errors import RunError
from hf_tasks.models.layers import Stack, pretrained_layers
from hf_tasks.models.load import load_tokenizer
from hf_tasks.models.weighted_layers import ScalarMix, bars, learned, mix_layers
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.runs import model_files
from hf_tasks.training import train

IDS = torch.tensor([[2, 9, 10, 11, 12, 13, 3], [2, 14, 15, 16, 17, 18, 3]])
OWNERS = {
    "bert": "encoder",
    "roberta": "encoder",
    "distilbert": "transformer",
    "albert": "encoder",
    "t5": "encoder",
}
ADAPTERS = {"name": "bottleneck-adapter", "reduction_factor": 4}
CASES = [
    *[("bert", {"name": name}) for name in ("full", "frozen", "bitfit", "gradual-unfreezing", "lora")],
    *[(architecture, ADAPTERS) for architecture in OWNERS],
    ("t5", {"name": "lora"}),
]


def recipe_of(folder: Path, method: dict[str, Any], **sections: Any) -> Recipe:
    classes = {"name": "text-classification", "labels": ["bad", "good"], "metrics": ["accuracy"],
               "problem_type": "single_label_classification"}  # fmt: skip
    return from_dict(
        {
            "name": "mixed",
            "task": {"name": "text2text-generation"} if folder.name.startswith("t5") else classes,
            "data": {"train": "rows.jsonl"},
            "model": {"name_or_path": str(folder), "weighted_layers": True},
            "method": method,
        }
        | sections
    )


def inputs(model: Any) -> dict[str, Tensor]:
    given = {"input_ids": IDS, "attention_mask": torch.ones_like(IDS)}
    return given | ({"decoder_input_ids": IDS} if model.config.is_encoder_decoder else {})


def logits(model: nn.Module) -> Tensor:
    with torch.inference_mode():
        return model.eval()(**inputs(model)).logits  # type: ignore[no-any-return]


def mix_of(model: nn.Module) -> ScalarMix:
    """The one that trains: PEFT keeps the first one beside it."""
    return [m for m in model.modules() if isinstance(m, ScalarMix) and m.weights.requires_grad][-1]


def encoder_of(tiny: Tiny, architecture: str) -> Any:
    torch.manual_seed(0)
    auto = transformers.T5EncoderModel if architecture == "t5" else transformers.AutoModel
    with quiet_transformers():
        return auto.from_pretrained(tiny(architecture)).eval()


def mixed(model: Any) -> Any:
    mix_layers(model, pretrained_layers(model).stacks[0])
    return model


def test_the_mix_is_gamma_times_the_weighted_sum() -> None:
    mix = ScalarMix(3)
    states = torch.tensor([1.0, 2.0, 4.0]).reshape(3, 1, 1, 1)
    assert mix(states).shape == (1, 1, 1)
    assert mix(states).item() == pytest.approx(7 / 3)  # at first the mean
    with torch.no_grad():
        mix.weights.copy_(torch.tensor([1.0, 2.0, 1.0]).log())
        mix.gamma.fill_(2.0)
    assert mix(states).item() == pytest.approx(2 * (0.25 * 1 + 0.5 * 2 + 0.25 * 4))
    assert torch.equal(mix(list(states)), mix(states))
    assert mix(states.to(torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize("architecture", OWNERS)
def test_each_state_is_what_transformers_calls_a_hidden_state(tiny: Tiny, architecture: str) -> None:
    """With all weight on one state, the encoder's output is that hidden state, under the stack's last norm if any."""
    plain = encoder_of(tiny, architecture)
    with torch.inference_mode():
        expected = plain(input_ids=IDS, output_hidden_states=True)
    model = mixed(copy.deepcopy(plain))
    mix = model.get_submodule(f"{OWNERS[architecture]}.scalar_mix")
    norm = plain.encoder.final_layer_norm if architecture == "t5" else nn.Identity()
    assert mix.weights.shape == (3,)
    for i in range(3):
        with torch.no_grad():
            mix.weights.copy_(torch.eye(3)[i] * 1e4)
        with torch.inference_mode():
            found = model(input_ids=IDS).last_hidden_state
            state = expected.last_hidden_state if i == 2 else norm(expected.hidden_states[i])
        torch.testing.assert_close(found, state)


@pytest.mark.parametrize(("architecture", "method"), CASES)
def test_with_every_method_the_mix_trains_and_comes_back(
    tiny: Tiny, tmp_path: Path, architecture: str, method: dict[str, Any]
) -> None:
    recipe = recipe_of(tiny(architecture), method)
    tokenizer = load_tokenizer(recipe.model, recipe.task)
    torch.manual_seed(0)
    model = model_files.build_model(recipe, tokenizer).train()
    mix = mix_of(model)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(2):
        model(**inputs(model)).logits.square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert (mix.weights.detach() != 0).all()
    assert (mix.gamma.detach() != 1).all()

    model_files.save(recipe, model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["trained.safetensors"]
    again = model_files.load(recipe, tmp_path, tokenizer)
    assert torch.equal(mix_of(again).weights, mix.weights)
    torch.testing.assert_close(logits(again), logits(model))
    assert torch.equal(logits(copy.deepcopy(model)), logits(model))


def test_a_deep_copy_has_a_mix_of_its_own(tiny: Tiny) -> None:
    model = mixed(encoder_of(tiny, "bert"))
    with torch.inference_mode():
        before = model(input_ids=IDS).last_hidden_state
        other = copy.deepcopy(model)
        mix_of(other).gamma.fill_(2.0)
        torch.testing.assert_close(other(input_ids=IDS).last_hidden_state, 2 * before)
        assert torch.equal(model(input_ids=IDS).last_hidden_state, before)


def test_gradients_are_the_same_when_blocks_are_recomputed(tiny: Tiny) -> None:
    model = mixed(encoder_of(tiny, "bert"))
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    gradients = []
    for recomputed in (False, True):
        if recomputed:
            model.activation_checkpointing_enable()
        model.train().zero_grad()
        model(input_ids=IDS).pooler_output.square().sum().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    assert gradients[0]["encoder.scalar_mix.weights"].abs().min() > 0
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


def test_bfloat16(tiny: Tiny) -> None:
    model = mixed(encoder_of(tiny, "bert"))
    with torch.inference_mode():
        expected = model(input_ids=IDS).last_hidden_state
        with torch.autocast("cpu", torch.bfloat16):
            found = model(input_ids=IDS).last_hidden_state
        torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)
        assert model.to(torch.bfloat16)(input_ids=IDS).last_hidden_state.dtype == torch.bfloat16


class Steps(nn.Module):
    """Three blocks; state i of an input is its column i. Blocks return tuples, and take keywords."""

    class Block(nn.Module):
        def __init__(self, column: int) -> None:
            super().__init__()
            self.column = column
            self.scale = nn.Parameter(torch.ones(1), requires_grad=False)

        def forward(self, *, x: Tensor, columns: Tensor) -> tuple[Tensor, str]:
            return columns[:, self.column, None] * self.scale, "more"

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(self.Block(i) for i in (1, 2, 3))
        self.skipped: tuple[int, ...] = ()
        mix_layers(self, Stack("blocks", tuple(self.blocks), 3))

    def forward(self, columns: Tensor) -> Tensor:
        x = columns[:, 0, None]
        for i, block in enumerate(self.blocks):
            if i not in self.skipped:
                x, more = block(x=x, columns=columns)
                assert more == "more"
        return x


def test_the_weights_find_the_layer_that_carries_the_signal() -> None:
    torch.manual_seed(0)
    columns, model = torch.randn(256, 4), Steps()
    optimizer = torch.optim.Adam(mix_of(model).parameters(), lr=0.1)
    for _ in range(200):
        loss = (model(columns) - columns[:, 1, None]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = learned(model)
    assert found["layer_weights"][1] > 0.95
    assert sum(found["layer_weights"]) == pytest.approx(1, abs=1e-5)
    assert found["layer_gamma"] == pytest.approx(1, abs=0.05)


def test_a_pass_that_broke_off_leaves_nothing_behind() -> None:
    model, columns = Steps(), torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert model(columns).item() == 2.5
    with pytest.raises(IndexError):
        model(columns[:, :3])  # the last block fails
    assert model(columns).item() == 2.5


def test_layers_that_are_dropped_are_an_error() -> None:
    model = Steps()
    model.skipped = (1,)
    with pytest.raises(
        RunError, match=r"^model\.weighted_layers: only 2 of 3 layers ran; layers must not be dropped at random, "
    ):
        model(torch.ones(1, 4))


def test_the_learned_weights_are_shown_as_bars() -> None:
    mix = {"layer_weights": [0.25, 0.5, 0.25], "layer_gamma": 1.5}
    assert list(bars(mix)) == [
        "  layers     learned weights, gamma 1.500",
        f"  layer 2    0.250 {'█' * 15}",
        f"  layer 1    0.500 {'█' * 30}",
        f"  embeddings 0.250 {'█' * 15}",
    ]
    assert learned(nn.Linear(1, 1)) == {}
    assert list(bars({})) == []


def test_training_states_hold_the_mix_and_the_adapters(tiny: Tiny, tmp_path: Path) -> None:
    """As transformers' Trainer saves them to come back to the best one."""
    recipe = recipe_of(tiny("bert"), ADAPTERS)
    model: Any = model_files.build_model(recipe, load_tokenizer(recipe.model, recipe.task))
    model.save_pretrained(tmp_path)
    assert load_file(tmp_path / "model.safetensors").keys() == dict(model.named_parameters()).keys()


def test_a_run_of_adapters_under_weighted_layers(tiny: Tiny, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Trained, loaded in a fresh process, measured; small, and of no use to who knows neither adapters nor mix."""
    rows = [{"text": ("a good moving film", "an awful slow book")[i % 2], "label": "gb"[i % 2]} for i in range(24)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe = recipe_of(
        tiny("bert"), ADAPTERS, task={"name": "text-classification"},
        data={"train": str(tmp_path / "rows.jsonl"), "validation_size": 0.25},
        training={"num_train_epochs": 2, "per_device_train_batch_size": 6, "output_dir": str(tmp_path / "run")},
    )  # fmt: skip
    run = train(recipe)
    assert len(run.results["layer_weights"]) == 3
    assert math.isclose(sum(run.results["layer_weights"]), 1, abs_tol=1e-5)
    assert run.results["layer_weights"] != pytest.approx([1 / 3] * 3, abs=1e-5)
    assert run.results["layer_gamma"] != 1
    assert "  layers     learned weights, gamma " in capfd.readouterr().err

    tensors = load_file(run.path / "trained.safetensors")
    assert {name for name in tensors if "scalar_mix" in name} == {
        "bert.encoder.scalar_mix.gamma", "bert.encoder.scalar_mix.weights",
    }  # fmt: skip
    assert sum(".adapter." in name for name in tensors) == 4 * 4
    assert not list(run.path.glob("model*.safetensors"))
    for plain in (transformers.AutoModelForSequenceClassification, transformers.BertForSequenceClassification):
        with pytest.raises((OSError, ValueError)):
            plain.from_pretrained(run.path)
    with pytest.raises(ValueError, match="adapter_config"):
        PeftModel.from_pretrained(encoder_of(tiny, "bert"), str(run.path))
