"""Bottleneck adapters on five architectures: where they stand, what trains, how much, and that they come back."""

import copy
import re
from typing import Any

import pytest
import torch
import transformers
from conftest import Tiny
from torch import nn
from torch.nn import functional

from hf_tasks.core.checkpoint_paths import quiet_transformers
from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.methods.adapter_layer import Adapter
from hf_tasks.methods.bottleneck_adapter import BottleneckAdapter
from hf_tasks.models.layers import note_pretrained

IDS = torch.tensor([[2, 9, 10, 11, 12, 13, 3], [2, 14, 15, 16, 17, 18, 3]])
HOULSBY = {
    # of every block: attention, then feed-forward; behind their dropout, where they have one
    "bert": [
        f"bert.encoder.layer.{i}.{name}" for i in (0, 1) for name in ("attention.output.dropout", "output.dropout")
    ],
    "roberta": [
        f"roberta.encoder.layer.{i}.{name}" for i in (0, 1) for name in ("attention.output.dropout", "output.dropout")
    ],
    "distilbert": [
        f"distilbert.transformer.layer.{i}.{name}" for i in (0, 1) for name in ("attention.out_lin", "ffn.dropout")
    ],
    "albert": [
        f"albert.encoder.albert_layer_groups.0.albert_layers.0.{name}"
        for name in ("ffn_output", "attention.output_dropout")
    ],
    "t5": [
        *(f"encoder.block.{i}.layer.{j}.dropout" for i in (0, 1) for j in (0, 1)),
        *(f"decoder.block.{i}.layer.{j}.dropout" for i in (0, 1) for j in (0, 1, 2)),
    ],
}  # fmt: skip
PFEIFFER = {
    # of every block: the norm behind the feed-forward, or the block itself where its norms come first
    "bert": [f"bert.encoder.layer.{i}.output.LayerNorm" for i in (0, 1)],
    "roberta": [f"roberta.encoder.layer.{i}.output.LayerNorm" for i in (0, 1)],
    "distilbert": [f"distilbert.transformer.layer.{i}.output_layer_norm" for i in (0, 1)],
    "albert": ["albert.encoder.albert_layer_groups.0.albert_layers.0.full_layer_layer_norm"],
    "t5": [*(f"encoder.block.{i}" for i in (0, 1)), *(f"decoder.block.{i}" for i in (0, 1))],
}
PLACES = {"houlsby": HOULSBY, "pfeiffer": PFEIFFER}
HEADS = r"(pre_)?classifier\."
NORMS = r".*(block|layer|albert_layers)\.\d+\..*(layer_?norm\w*)\."
CASES = [(variant, architecture) for variant in ("houlsby", "pfeiffer") for architecture in HOULSBY]


def adapter(variant: str, **keys: Any) -> BottleneckAdapter:
    """With 8 units in these models, so that some let gradients through."""
    quick = {"name": "bottleneck-adapter", "variant": variant, "reduction_factor": 4}
    return BottleneckAdapter.model_validate(quick | keys)


def plain(tiny: Tiny, architecture: str) -> nn.Module:
    generates = architecture == "t5"
    auto = transformers.AutoModelForSeq2SeqLM if generates else transformers.AutoModelForSequenceClassification
    torch.manual_seed(0)
    with quiet_transformers():
        model, info = auto.from_pretrained(tiny(architecture), output_loading_info=True)
    note_pretrained(model, info["missing_keys"])
    return model.eval()  # type: ignore[no-any-return]


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
def test_where_adapters_are(tiny: Tiny, variant: str, architecture: str) -> None:
    model = adapter(variant).prepare(plain(tiny, architecture))
    found = [name.removesuffix(".adapter") for name, module in model.named_modules() if isinstance(module, Adapter)]
    assert sorted(found) == sorted(PLACES[variant][architecture])
    layer = model.get_submodule(found[0])
    assert isinstance(layer.adapter, Adapter)
    activation = nn.GELU if variant == "houlsby" else nn.ReLU
    assert type(layer.adapter.activation) is activation


def large(variant: str, model: nn.Module) -> Any:
    """With adapters whose weights change much."""
    adapted = adapter(variant).prepare(model)
    torch.manual_seed(3)
    for name, p in adapted.named_parameters():
        if ".adapter." in name:
            nn.init.normal_(p, std=0.5)
    return adapted


def bottleneck(module: Adapter, x: torch.Tensor, activation: Any) -> torch.Tensor:
    hidden = activation(functional.linear(x, module.down.weight, module.down.bias))
    return functional.linear(hidden, module.up.weight, module.up.bias)


def linear(module: Any, x: torch.Tensor) -> torch.Tensor:
    return functional.linear(x, module.weight, module.bias)


def norm(module: Any, x: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(x, x.shape[-1:], module.weight, module.bias, module.eps)


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("variant", ["houlsby", "pfeiffer"])
def test_a_block_of_bert_computes_the_published_equations(tiny: Tiny, variant: str, dropped: bool) -> None:
    """Houlsby et al. 2019, figure 2; adapters' SeqBnConfig (original_ln_before, original_ln_after, residual_before_ln).

    `dropped`: dropout takes all of both sublayers' outputs, and what is left are the adapters' own.
    """
    block = large(variant, plain(tiny, "bert")).bert.encoder.layer[0]
    torch.manual_seed(4)
    r = torch.randn(2, 7, 32)
    if dropped:
        for module in (block.attention.output.dropout, block.output.dropout):
            module.train().p = 1.0
    with torch.no_grad():
        h = linear(block.attention.output.dense, block.attention.self(r)[0]) * (not dropped)
        if variant == "houlsby":
            h = h + bottleneck(block.attention.output.dropout.adapter, h, functional.gelu)
        r1 = norm(block.attention.output.LayerNorm, h + r)
        h = linear(block.output.dense, functional.gelu(linear(block.intermediate.dense, r1))) * (not dropped)
        if variant == "houlsby":
            h = h + bottleneck(block.output.dropout.adapter, h, functional.gelu)
            expected = norm(block.output.LayerNorm, h + r1)
        else:
            x = norm(block.output.LayerNorm, h + r1)
            change = bottleneck(block.output.LayerNorm.adapter, x, functional.relu)
            expected = norm(block.output.LayerNorm, change + h + r1)
        found = block(r)
    torch.testing.assert_close(found if torch.is_tensor(found) else found[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("variant", ["houlsby", "pfeiffer"])
def test_the_feed_forward_of_t5_computes_the_published_equations(tiny: Tiny, variant: str) -> None:
    """Its norm comes before the sublayer, and none behind the sum."""
    block = large(variant, plain(tiny, "t5")).encoder.block[1]
    last = block.layer[1]
    seen: dict[str, torch.Tensor] = {}
    last.register_forward_pre_hook(lambda module, args: seen.update(r=args[0]))
    block.register_forward_hook(
        lambda module, args, output: seen.update(out=output if torch.is_tensor(output) else output[0])
    )
    torch.manual_seed(4)
    with torch.no_grad():
        block(torch.randn(2, 7, 32))
        r = seen["r"]
        h = last.DenseReluDense(last.layer_norm(r))
        if variant == "houlsby":
            expected = r + h + bottleneck(last.dropout.adapter, h, functional.gelu)
        else:
            expected = r + h + bottleneck(block.adapter, r + h, functional.relu)
    torch.testing.assert_close(seen["out"], expected, rtol=1e-5, atol=1e-5)


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


@pytest.mark.parametrize("architecture", HOULSBY)
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
        r"cannot be distinguished \(projections onto the residual stream: bert\.encoder\.layer\.1\.output\.dense\); "
    )
    with pytest.raises(RunError, match=message):
        adapter("pfeiffer").prepare(model)


def test_merging_is_refused(tiny: Tiny) -> None:
    with pytest.raises(RunError, match=r"^method\.name: a bottleneck-adapter cannot be merged"):
        adapter("houlsby").merge(plain(tiny, "bert"))
