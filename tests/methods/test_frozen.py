"""A frozen encoder: what trains, and that it computes without dropout while the head has its own."""

import copy
import re

import pytest
import torch
from conftest import Tiny
from torch import nn
from transformers import AutoModelForSeq2SeqLM, AutoModelForSequenceClassification

from hf_tasks.core.errors import RecipeError
from hf_tasks.methods.frozen import Frozen

IDS = torch.tensor([[2, 9, 10, 11, 12, 13, 3]])
FROZEN = Frozen(name="frozen")


def frozen(tiny: Tiny, architecture: str) -> nn.Module:
    return FROZEN.prepare(AutoModelForSequenceClassification.from_pretrained(tiny(architecture)))


@pytest.mark.parametrize("architecture", ["bert", "albert", "roberta", "distilbert"])
def test_the_encoder_has_no_dropout_in_training_and_the_head_has(tiny: Tiny, architecture: str) -> None:
    model = frozen(tiny, architecture).train()
    model.config.output_hidden_states = True
    first, again = model(IDS), model(IDS)
    assert all(torch.equal(a, b) for a, b in zip(first.hidden_states, again.hidden_states, strict=True))
    assert not torch.equal(first.logits, again.logits)
    model.eval()
    assert torch.equal(model(IDS).logits, model(IDS).logits)
    assert not any(module.training for module in model.modules())


def test_no_gradient_goes_through_the_encoder(tiny: Tiny) -> None:
    model = frozen(tiny, "bert")
    model(IDS).logits.sum().backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {
        "bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias",
    }  # fmt: skip


def test_a_copy_of_the_model_stays_frozen(tiny: Tiny) -> None:
    model = frozen(tiny, "bert")
    twin = copy.deepcopy(model).train()
    assert not twin.bert.encoder.layer[0].training
    assert twin.classifier.training
    assert not model.classifier.training


def test_a_model_without_a_head_of_its_own(tiny: Tiny) -> None:
    model = AutoModelForSeq2SeqLM.from_pretrained(tiny("t5"))
    problem = (
        "method.name: frozen trains the head above the last layer, and T5ForConditionalGeneration has none of its own "
        "(found: decoder.final_layer_norm.weight); choose another method"
    )
    with pytest.raises(RecipeError, match=f"^{re.escape(problem)}$"):
        FROZEN.prepare(model)
