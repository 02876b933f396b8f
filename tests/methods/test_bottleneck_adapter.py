"""Bottleneck adapters on five architectures: where they stand, what trains, how much, and that they come back."""

import copy
import re
from typing import Any

import pytest
import torch
import transformers
from conftest import Tiny
from torch import nn

from hf_tasks.errors import RecipeError, RunError
from hf_tasks.methods.adapter import Adapter
from hf_tasks.methods.bottleneck_adapter import BottleneckAdapter
from hf_tasks.pretrained import quiet

IDS = torch.tensor([[2, 9, 10, 11, 12, 13, 3], [2, 14, 15, 16, 17, 18, 3]])
PROJECTIONS = {
    # of every block: attention, then feed-forward
    "bert": [f"bert.encoder.layer.{i}.{name}" for i in (0, 1) for name in ("attention.output.dense", "output.dense")],
    "roberta": [
        f"roberta.encoder.layer.{i}.{name}" for i in (0, 1) for name in ("attention.output.dense", "output.dense")
    ],
    "distilbert": [
        f"distilbert.transformer.layer.{i}.{name}" for i in (0, 1) for name in ("attention.out_lin", "ffn.lin2")
    ],
    "albert": [
        f"albert.encoder.albert_layer_groups.0.albert_layers.0.{name}" for name in ("attention.dense", "ffn_output")
    ],
    "t5": [
        *(f"encoder.block.{i}.layer.{name}" for i in (0, 1) for name in ("0.SelfAttention.o", "1.DenseReluDense.wo")),
        *(
            f"decoder.block.{i}.layer.{name}"
            for i in (0, 1)
            for name in ("0.SelfAttention.o", "1.EncDecAttention.o", "2.DenseReluDense.wo")
        ),
    ],
}  # fmt: skip
FEED_FORWARD = r"(?<!attention\.)output\.dense|lin2|ffn_output|wo"
HEADS = r"\w+\.pooler\.|(pre_)?classifier\.|\w+\.final_layer_norm\."
NORMS = r".*(block|layer|albert_layers)\.\d+\..*(layer_?norm\w*)\."
CASES = [(variant, architecture) for variant in ("houlsby", "pfeiffer") for architecture in PROJECTIONS]


def adapter(variant: str, **keys: Any) -> BottleneckAdapter:
    """With 8 units in these models, so that some let gradients through."""
    quick = {"name": "bottleneck-adapter", "variant": variant, "reduction_factor": 4}
    return BottleneckAdapter.model_validate(quick | keys)


def plain(tiny: Tiny, architecture: str) -> nn.Module:
    generates = architecture == "t5"
    auto = transformers.AutoModelForSeq2SeqLM if generates else transformers.AutoModelForSequenceClassification
    torch.manual_seed(0)
    with quiet():
        return auto.from_pretrained(tiny(architecture)).eval()  # type: ignore[no-any-return]


def projections(variant: str, architecture: str) -> list[str]:
    every = PROJECTIONS[architecture]
    return every if variant == "houlsby" else [name for name in every if re.search(rf"({FEED_FORWARD})$", name)]


def promised(variant: str, model: nn.Module) -> set[str]:
    norms = NORMS if variant == "houlsby" else "(?!)"
    pattern = re.compile(rf".*\.adapter\.|{HEADS}|{norms}", re.IGNORECASE)
    return {name for name, _ in model.named_parameters() if pattern.match(name)}


def logits(model: nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(**inputs(model)).logits  # type: ignore[no-any-return]


def inputs(model: Any) -> dict[str, torch.Tensor]:
    return {"input_ids": IDS} | ({"decoder_input_ids": IDS} if model.config.is_encoder_decoder else {})


def two_steps(model: nn.Module) -> None:
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    model.train()
    for _ in range(2):
        model(**inputs(model)).logits.square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize(("variant", "architecture"), CASES)
def test_adapters_stand_behind_the_output_projections(tiny: Tiny, variant: str, architecture: str) -> None:
    model = adapter(variant).prepare(plain(tiny, architecture))
    found = [name.removesuffix(".adapter") for name, module in model.named_modules() if isinstance(module, Adapter)]
    assert found == projections(variant, architecture)
    layer = model.get_submodule(found[0])
    assert isinstance(layer.adapter, Adapter)
    activation = nn.GELU if variant == "houlsby" else nn.ReLU
    assert type(layer.adapter.activation) is activation


@pytest.mark.parametrize(("variant", "architecture"), CASES)
def test_what_moves_is_what_was_promised_and_comes_back(tiny: Tiny, variant: str, architecture: str) -> None:
    base = plain(tiny, architecture)
    names = [name for name, _ in base.named_parameters()]
    model = adapter(variant).prepare(copy.deepcopy(base))
    assert [name for name, _ in model.named_parameters() if ".adapter." not in name] == names
    promise = promised(variant, model)
    assert {name for name, p in model.named_parameters() if p.requires_grad} == promise

    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    two_steps(model)
    assert {name for name, p in model.named_parameters() if not torch.equal(p, before[name])} == promise

    fresh = adapter(variant).prepare(base)
    fresh.load_state_dict({name: p for name, p in model.named_parameters() if name in promise}, strict=False)
    torch.testing.assert_close(logits(fresh), logits(model))
    assert torch.equal(logits(copy.deepcopy(fresh)), logits(fresh))


@pytest.mark.parametrize("architecture", PROJECTIONS)
def test_the_adapted_model_starts_near_the_plain_one(tiny: Tiny, architecture: str) -> None:
    model = plain(tiny, architecture)
    before = logits(model)
    difference = (logits(adapter("houlsby").prepare(model)) - before).abs().max() / before.abs().max()
    assert 0 < difference < 1e-3


def test_an_adapter_is_the_identity_plus_a_bottleneck() -> None:
    module = Adapter(2, 1, "relu")
    assert all(p.abs().max() <= 2e-2 for p in module.parameters())
    with torch.no_grad():
        module.down.weight.copy_(torch.tensor([[1.0, 2.0]]))
        module.down.bias.fill_(-1.0)
        module.up.weight.copy_(torch.tensor([[10.0], [-1.0]]))
        module.up.bias.copy_(torch.tensor([0.5, 0.0]))
    x = torch.tensor([[1.0, 1.0], [0.0, 0.0]])  # down: 2, -1; relu: 2, 0
    assert module(x).tolist() == [[21.5, -1.0], [0.5, 0.0]]


def test_parameters_by_the_formula_of_the_paper(tiny: Tiny) -> None:
    """Houlsby et al. 2019, section 2.1: an adapter of m units has 2md + d + m parameters."""
    for variant, number in (("houlsby", 4), ("pfeiffer", 2)):
        model = adapter(variant, reduction_factor=8).prepare(plain(tiny, "bert"))
        d, m = 32, 4
        new = sum(p.numel() for name, p in model.named_parameters() if ".adapter." in name)
        assert new == number * (2 * m * d + d + m)


def test_gradients_reach_adapters_through_recomputed_blocks(tiny: Tiny) -> None:
    model: Any = adapter("houlsby").prepare(plain(tiny, "bert"))
    model(input_ids=IDS).logits.sum().backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    model.activation_checkpointing_enable()
    model.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model(input_ids=IDS).logits.sum().backward()
    for name, p in model.named_parameters():
        if name in gradients:
            torch.testing.assert_close(p.grad, gradients[name], msg=name)


def test_a_bottleneck_of_nothing_is_an_error(tiny: Tiny) -> None:
    with pytest.raises(
        RecipeError, match=r"^method\.reduction_factor: 64 leaves nothing of the hidden size 32; give at most 32$"
    ):
        adapter("houlsby", reduction_factor=64).prepare(plain(tiny, "bert"))


def test_a_block_that_is_not_understood_is_named(tiny: Tiny) -> None:
    model = plain(tiny, "bert")
    model.bert.encoder.layer[1].attention.output.forward = lambda states, _: states  # type: ignore[index, union-attr]
    message = (
        r"^model\.name_or_path: attention and feed-forward of bert\.encoder\.layer\.1 in BertForSequenceClassification "
        r"are not to be told apart \(projections onto the residual stream: bert\.encoder\.layer\.1\.output\.dense\); "
    )
    with pytest.raises(RunError, match=message):
        adapter("pfeiffer").prepare(model)


def test_merging_is_refused(tiny: Tiny) -> None:
    with pytest.raises(RunError, match=r"^method\.name: a bottleneck-adapter cannot be merged"):
        adapter("houlsby").merge(plain(tiny, "bert"))
