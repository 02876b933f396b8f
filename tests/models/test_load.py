"""Loading checkpoints: what is found, what is missing, what the model can read."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Tiny
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

from hf_tasks.core.checkpoint_paths import resolve_checkpoint
from hf_tasks.core.errors import RunError
from hf_tasks.models.load import load_model, load_tokenizer, longest_input
from hf_tasks.models.section import Model
from hf_tasks.tasks import TextClassification
from hf_tasks.tasks.types import max_input_length

TASK = TextClassification(
    name="text-classification", problem_type="single_label_classification", labels=("no", "yes", "maybe")
)
ADVICE = "give a Hub id that this machine can reach or has cached, a folder with config.json and model.safetensors, "
ADVICE += "or package:NAME"


@pytest.fixture
def bert(tiny: Tiny, tmp_path: Path) -> Path:
    """A copy of the tiny BERT, to be damaged."""
    return Path(shutil.copytree(tiny("bert"), tmp_path / "bert"))


def load(folder: Path | str) -> Any:
    model = Model(name_or_path=str(folder))
    return load_model(model, TASK, load_tokenizer(model, TASK))


def refusal(call: Callable[[Path | str], Any], folder: Path | str) -> str:
    with pytest.raises(RunError) as e:
        call(folder)
    return str(e.value).removeprefix("model.name_or_path: ")


def configure(folder: Path, **keys: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


# -- finding


def test_locate_leaves_hub_ids_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_checkpoint("bert-base-cased") == "bert-base-cased"
    assert resolve_checkpoint("google/electra-small") == "google/electra-small"
    assert resolve_checkpoint(str(tmp_path)) == str(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    assert resolve_checkpoint("~/models") == str(tmp_path / "models")


@pytest.mark.parametrize("name", ["/no/such/folder", "./none", "a/b/c", "~/none"])
def test_a_path_that_is_no_folder(name: str) -> None:
    assert refusal(resolve_checkpoint, name) == f"there is no folder {name}; give a folder, a Hub id or package:NAME"


def test_locate_finds_the_checkpoint_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "somemodel" / "data" / "deep"
    near = tmp_path / "somemodel" / "weights"
    for folder in (deep, near, tmp_path / "somemodel" / "a"):
        folder.mkdir(parents=True)
        (folder / "config.json").touch()
    (deep / "model.safetensors").touch()
    (near / "model.safetensors").touch()
    (tmp_path / "somemodel" / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert resolve_checkpoint("package:somemodel") == str(near)
    (near / "model.safetensors").unlink()
    (deep / "model.safetensors").unlink()
    assert refusal(resolve_checkpoint, "package:somemodel") == (
        "the package 'somemodel' carries no checkpoint (config.json, model.safetensors)"
    )


@pytest.mark.parametrize("name", ["nosuchpackage", "no.such.package", "", "no-such-package", "zipfile"])
def test_a_package_that_is_not_installed(name: str) -> None:
    assert (
        refusal(resolve_checkpoint, f"package:{name}")
        == f"no package {name!r} is installed; check the name, or install the package that you mean"
    )


def test_a_hub_id_that_cannot_be_had() -> None:
    reason = (
        "We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cached files"
    )
    assert refusal(load, "org/not-there") == f"org/not-there cannot be loaded: {reason}; {ADVICE}"


# -- damage


def test_a_missing_weight_is_not_made_up(bert: Path) -> None:
    weights = load_file(bert / "model.safetensors")
    del weights["encoder.layer.1.attention.self.query.weight"]
    save_file(weights, bert / "model.safetensors", {"format": "pt"})
    assert refusal(load, bert) == (
        f"{bert}: 1 weights of the encoder are not in the checkpoint, or not in the size that config.json gives "
        "(the first is bert.encoder.layer.1.attention.self.query.weight); it is not a bert checkpoint, or it is damaged"
    )


def test_more_layers_than_weights(bert: Path) -> None:
    configure(bert, num_hidden_layers=3)
    assert "16 weights of the encoder are not in the checkpoint" in refusal(load, bert)


def test_an_encoder_of_another_size_is_not_made_up(bert: Path) -> None:
    configure(bert, vocab_size=500)
    assert "(the first is bert.embeddings.word_embeddings.weight)" in refusal(load, bert)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x10\0\0\0\0\0\0\0{}"])
def test_weights_that_are_no_safetensors(bert: Path, content: bytes) -> None:
    (bert / "model.safetensors").write_bytes(content)
    text = refusal(load, bert)
    assert text.startswith(f"{bert} cannot be loaded: ")
    assert text.endswith(f"; {ADVICE}")


def test_no_weights(bert: Path) -> None:
    (bert / "model.safetensors").unlink()
    reason = f"Error no file named model.safetensors found in directory {bert}"
    assert refusal(load, bert) == f"{bert} cannot be loaded: {reason}; {ADVICE}"


def test_no_tokenizer(bert: Path) -> None:
    (bert / "tokenizer.json").unlink()
    (bert / "tokenizer_config.json").unlink()
    assert refusal(load, bert) == f"{bert}: its tokenizer has an empty vocabulary; add its tokenizer files"


def test_an_empty_folder(tmp_path: Path) -> None:
    text = refusal(load, tmp_path)
    assert text.startswith(f"{tmp_path} cannot be loaded: Unrecognized model in {tmp_path}.")


# -- what is loaded


def test_the_body_is_the_checkpoint_s_and_the_head_is_new_and_named(bert: Path) -> None:
    model = load(bert)
    weights = load_file(bert / "model.safetensors")
    for name, parameter in model.bert.named_parameters():
        assert torch.equal(parameter, weights[name])
    assert model.classifier.weight.shape == (3, 32)
    assert model.config.id2label == {0: "no", 1: "yes", 2: "maybe"}
    assert model.config.problem_type == "single_label_classification"


def test_a_head_of_another_size_is_replaced_and_one_that_fits_is_kept(bert: Path, tmp_path: Path) -> None:
    model = load(bert)
    model.save_pretrained(tmp_path / "tuned")
    load_tokenizer(Model(name_or_path=str(bert)), TASK).save_pretrained(tmp_path / "tuned")
    assert torch.equal(load(tmp_path / "tuned").classifier.weight, model.classifier.weight)
    two = TASK.model_copy(update={"labels": ("no", "yes")})
    section = Model(name_or_path=str(tmp_path / "tuned"))
    assert load_model(section, two, load_tokenizer(section, two)).classifier.weight.shape == (2, 32)


def test_half_precision_checkpoints_are_loaded_in_float32(bert: Path) -> None:
    AutoModel.from_pretrained(bert, dtype=torch.bfloat16).save_pretrained(bert)
    assert load_file(bert / "model.safetensors")["pooler.dense.bias"].dtype == torch.bfloat16
    assert {parameter.dtype for parameter in load(bert).parameters()} == {torch.float32}


@pytest.mark.parametrize(("architecture", "segments"), [("bert", True), ("albert", True), ("roberta", False)])
def test_segments_of_a_pair_are_marked_for_models_that_have_them(tiny: Tiny, architecture: str, segments: bool) -> None:
    tokenizer = load_tokenizer(Model(name_or_path=str(tiny(architecture))), TASK)
    encoded = tokenizer("the film", "a book")
    assert ("token_type_ids" in encoded) == segments
    if segments:
        assert sorted(set(encoded["token_type_ids"])) == [0, 1]


def test_marked_segments_are_saved_with_the_tokenizer(tiny: Tiny, tmp_path: Path) -> None:
    load_tokenizer(Model(name_or_path=str(tiny("albert"))), TASK).save_pretrained(tmp_path)
    assert "token_type_ids" in AutoTokenizer.from_pretrained(tmp_path)("the film", "a book")


def test_an_end_of_text_token_pads_where_nothing_else_does(bert: Path) -> None:
    from tokenizers import Tokenizer, models

    backend = Tokenizer(models.BPE({"<|endoftext|>": 0, "a": 1, "b": 2}, []))
    gpt2 = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>", unk_token="<|endoftext|>")
    assert gpt2.pad_token is None
    gpt2.save_pretrained(bert)
    model = Model(name_or_path=str(bert))
    tokenizer = load_tokenizer(model, TASK)
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == ("<|endoftext|>", 0)
    assert load_model(model, TASK, tokenizer).config.pad_token_id == 0


# -- the longest input


@pytest.mark.parametrize(
    ("architecture", "sizes", "longest"),
    [
        ("bert", {"max_position_embeddings": 512}, 512),
        ("roberta", {"max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ("albert", {"max_position_embeddings": 512, "embedding_size": 8}, 512),
        ("gpt2", {"n_positions": 128, "n_embd": 8, "n_head": 1, "n_layer": 1}, 128),
        ("t5", {"d_model": 8, "d_kv": 8, "d_ff": 8, "num_heads": 1, "num_layers": 1}, 1_000_000),
    ],
)
def test_longest_input(architecture: str, sizes: dict[str, int], longest: int) -> None:
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    small = {} if architecture in ("gpt2", "t5") else small
    config = AutoConfig.for_model(architecture, vocab_size=8, bos_token_id=0, eos_token_id=0, **small, **sizes)
    assert longest_input(AutoModel.from_config(config)) == longest


def test_a_longest_input_can_be_read_and_a_longer_one_cannot() -> None:
    config = BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    model = BertModel(config).eval()
    ids = torch.ones(1, longest_input(model), dtype=torch.int64)
    assert model(ids).last_hidden_state.shape == (1, 512, 8)
    with pytest.raises((IndexError, RuntimeError)):
        model(torch.cat([ids, ids[:, :1]], dim=1))


def test_the_tokenizer_s_limit_is_lowered_to_the_model_s(bert: Path) -> None:
    configured = json.loads((bert / "tokenizer_config.json").read_text())
    (bert / "tokenizer_config.json").write_text(json.dumps(configured | {"model_max_length": 10**30}))
    model = Model(name_or_path=str(bert))
    tokenizer = load_tokenizer(model, TASK)
    load_model(model, TASK, tokenizer)
    assert tokenizer.model_max_length == 64
    assert max_input_length(TASK.max_length, tokenizer) == 64
