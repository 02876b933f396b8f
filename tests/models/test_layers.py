"""The layers of five architectures, by the names of their parameters."""

import re

import pytest
import transformers
from conftest import Tiny
from torch import nn

from hf_tasks.core.errors import RunError
from hf_tasks.models.layers import Layers, pretrained_layers

PLACES = {
    "bert": (r"bert\.embeddings\.", [("bert.encoder.layer", 2, 2)], r"bert\.pooler\.|classifier\."),
    "roberta": (r"roberta\.embeddings\.", [("roberta.encoder.layer", 2, 2)], r"classifier\."),
    "distilbert": (
        r"distilbert\.embeddings\.",
        [("distilbert.transformer.layer", 2, 2)],
        r"pre_classifier\.|classifier\.",
    ),
    "albert": (
        r"albert\.embeddings\.|albert\.encoder\.embedding_hidden",
        [("albert.encoder.albert_layer_groups", 1, 2)],
        r"albert\.pooler\.|classifier\.",
    ),
    "t5": (r"shared\.", [("encoder.block", 2, 2), ("decoder.block", 2, 2)], r"\w+\.final_layer_norm|lm_head\."),
}


def layers_of(tiny: Tiny, architecture: str) -> tuple[nn.Module, Layers]:
    generates = architecture == "t5"
    auto = transformers.AutoModelForSeq2SeqLM if generates else transformers.AutoModelForSequenceClassification
    model = auto.from_pretrained(tiny(architecture)).train()
    return model, pretrained_layers(model)


@pytest.mark.parametrize("architecture", PLACES)
def test_every_parameter_has_its_place(tiny: Tiny, architecture: str) -> None:
    model, layers = layers_of(tiny, architecture)
    bottom, stacks, head = PLACES[architecture]
    names = [name for name, _ in model.named_parameters()]
    assert [(s.name, len(s.blocks), s.depth) for s in layers.stacks] == stacks
    assert set(layers.bottom) == {name for name in names if re.match(bottom, name)}
    assert set(layers.head) == {name for name in names if re.match(head, name)}
    assert sorted((*layers.bottom, *layers.head, *(n for block in layers.blocks for n in block))) == sorted(names)
    assert all(module.training for module in model.modules())


def test_the_encoder_is_what_has_run_when_the_last_block_has(tiny: Tiny) -> None:
    model, layers = layers_of(tiny, "bert")
    names = {module: name for name, module in model.named_modules()}
    ran = {names[module] for module in layers.encoder}
    assert {"bert.embeddings", "bert.embeddings.dropout", "bert.encoder.layer.1"} <= ran
    assert not ran & {"bert", "bert.encoder", "bert.pooler", "dropout", "classifier"}


def test_a_model_without_blocks_is_named() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.out = nn.Embedding(4, 2), nn.Linear(2, 2)

    with pytest.raises(RunError) as error:
        pretrained_layers(Two())
    assert str(error.value) == (
        "model.name_or_path: no stack of equal layers in Two, only table (Embedding), out (Linear); "
        "choose another checkpoint, or method.name: full"
    )


def test_lists_that_are_no_stacks_are_named() -> None:
    """XLM keeps the parts of its blocks in lists side by side."""
    sizes = {"emb_dim": 8, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 8}
    config = transformers.AutoConfig.for_model("xlm", vocab_size=8, **sizes)
    with pytest.raises(RunError) as error:
        pretrained_layers(transformers.AutoModel.from_config(config))
    assert str(error.value) == (
        "model.name_or_path: the lists of equal layers in XLMModel do not run one after another: attentions, "
        "layer_norm1, ffns, layer_norm2; choose another checkpoint, or method.name: full"
    )


def test_a_stack_that_never_runs_is_no_stack() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = transformers.PretrainedConfig()
            self.layer = nn.ModuleList([nn.Linear(2, 2)])

        def forward(self, input_ids: object, attention_mask: object) -> None:
            pass

    with pytest.raises(RunError, match=r"in Idle do not run one after another: layer; "):
        pretrained_layers(Idle())
