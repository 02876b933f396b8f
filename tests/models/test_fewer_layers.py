"""Every k-th layer of a checkpoint: which ones, what they compute, and what a run of them saves."""

from pathlib import Path

import pytest
import torch
import trained
from conftest import Tiny, hasten
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, BertConfig, BertModel

from hf_tasks.core.errors import RecipeError
from hf_tasks.models.fewer_layers import keep_layers, kept
from hf_tasks.runs.run import Run

IDS = torch.tensor([[2, 9, 10, 11, 3]])
SIZES = {"vocab_size": 99, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.mark.parametrize(
    ("layers", "number", "expected"),
    [(6, 3, [1, 3, 5]), (12, 4, [2, 5, 8, 11]), (6, 6, [0, 1, 2, 3, 4, 5]), (6, 1, [5]), (12, 5, [1, 3, 6, 8, 11])],
)
def test_every_k_th_layer(layers: int, number: int, expected: list[int]) -> None:
    assert kept(layers, number) == expected


def test_the_states_are_those_of_the_kept_layers_by_hand() -> None:
    torch.manual_seed(0)
    model = BertModel(BertConfig(num_hidden_layers=4, **SIZES)).eval()
    second, fourth = model.encoder.layer[1], model.encoder.layer[3]
    with torch.no_grad():
        expected = fourth(second(model.embeddings(input_ids=IDS)))
        keep_layers(model, 2)
        found = model(input_ids=IDS).last_hidden_state
    assert torch.equal(found, expected)
    assert model.config.num_hidden_layers == len(model.encoder.layer) == 2


@pytest.mark.parametrize("kind", ["roberta", "distilbert", "electra", "mpnet", "deberta-v2", "gpt2"])
def test_architectures(kind: str) -> None:
    sizes = SIZES | {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    if kind == "distilbert":
        sizes = {"vocab_size": 99, "dim": 16, "n_heads": 2, "hidden_dim": 32}
    torch.manual_seed(0)
    model = AutoModel.from_config(AutoConfig.for_model(kind, num_hidden_layers=4, **sizes)).eval()
    keep_layers(model, 2)
    again = type(model)(type(model.config).from_dict(model.config.to_dict())).eval()
    again.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert torch.equal(model(IDS).last_hidden_state, again(IDS).last_hidden_state)


def test_refusals(tiny: Tiny) -> None:
    bert, albert, t5 = (AutoModel.from_pretrained(tiny(name)) for name in ("bert", "albert", "t5"))
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    config = AutoConfig.for_model("modernbert", num_hidden_layers=4, **SIZES, **special)
    modern = AutoModel.from_config(config)  # its first layer has no norm
    for model, number, reason in (
        (bert, 3, "the checkpoint has 2 layers, not 3; choose 2 or fewer"),
        (modern, 2, "layers of ModernBertModel differ by their place and cannot be left out; remove the key"),
        (albert, 3, "AlbertModel has layers that share their weights, which cannot be left out; remove the key"),
        (t5, 3, "T5Model has an encoder and a decoder, which cannot be left out; remove the key"),
    ):
        with pytest.raises(RecipeError) as e:
            keep_layers(model, number)
        assert str(e.value) == f"model.num_hidden_layers: {reason}"


@pytest.mark.parametrize("method", ["full", "lora", "bitfit"])
def test_a_run_of_fewer_layers(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    hasten(monkeypatch)
    run = trained.train("label", tiny("bert"), tmp_path, model={"num_hidden_layers": 1}, method=method)
    again = Run.load(run.path)
    assert again.model.config.num_hidden_layers == 1
    assert again.predict("a good film") == run.predict("a good film")
    if method == "full":
        plain = AutoModelForSequenceClassification.from_pretrained(run.path)
        assert len(plain.bert.encoder.layer) == 1
    assert (run.path / "adapter_model.safetensors").exists() is False
