"""CacheEstimate of a frozen encoder: computed once, and trained on as if they were computed again every time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Tiny, hasten
from safetensors.torch import load_file
from transformers.models.bert.modeling_bert import BertLayer

from hf_tasks.models.load import load_tokenizer
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.recipe.resolve import resolve
from hf_tasks.runs import evaluation, model_files
from hf_tasks.tasks import EncodedSplit
from hf_tasks.training import feature_cache, train
from hf_tasks.training.feature_cache import reads, store
from hf_tasks.training.feature_cache.encoder import Encoder
from hf_tasks.training.feature_cache.replay import Reads

READS = {
    "text-classification": Reads("first", every_layer=False),
    "token-classification": Reads("tokens", every_layer=False),
    "question-answering": Reads("padded", every_layer=False),  # its loss is over padding too
}
Make = Callable[..., Recipe]


def rows_of(task: str) -> list[dict[str, Any]]:
    """24 rows of many lengths."""
    text = "the film is not good it was an awful slow book and a great old city by the river in rome"
    words = text.split()
    rows: list[dict[str, Any]] = []
    for i in range(24):
        chosen = [words[(i * 7 + j) % len(words)] for j in range(2 + i % 9)]
        text = " ".join(chosen)
        match task:
            case "text-classification":
                rows.append({"text": text, "label": ("good", "bad")[i % 2]})
            case "token-classification":
                rows.append({"tokens": chosen, "tags": [("A", "B")[len(word) % 2] for word in chosen]})
            case _:
                answer = {"text": [chosen[-1]], "answer_start": [len(text) - len(chosen[-1])]}
                rows.append({"id": str(i), "question": "what is it", "context": text, "answers": answer})
    return rows


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_TASKS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.fixture(autouse=True)
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the check in a fresh process, which takes seconds."""
    hasten(monkeypatch)


@pytest.fixture
def make(tiny: Tiny, tmp_path: Path) -> Make:
    """A frozen recipe on the 24 rows, 18 to train on; `epochs` of plain gradient descent in float32."""

    def build(
        name: str = "text-classification",
        architecture: str = "bert",
        epochs: int = 2,
        cache: bool = True,
        weighted: bool = False,
        **task: Any,
    ) -> Recipe:
        file = tmp_path / f"{name}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows_of(name)), encoding="utf-8")
        stride = {"doc_stride": 8} if name == "question-answering" else {}
        return from_dict(
            {
                "name": "tiny",
                "task": {"name": name, "max_length": 40} | stride | task,
                "data": {"train": str(file), "validation_size": 0.25},
                "model": {"name_or_path": str(tiny(architecture)), "weighted_layers": weighted},
                "method": {"name": "frozen", "cache": cache},
                "training": {"num_train_epochs": epochs, "per_device_train_batch_size": 8, "bf16": False,
                             "optim": "sgd", "learning_rate": 0.5, "save_strategy": "no",
                             "load_best_model_at_end": False, "output_dir": str(tmp_path / f"run-{cache}-{epochs}")},
            }
        )  # fmt: skip

    return build


def ready(recipe: Recipe) -> tuple[Recipe, torch.nn.Module, dict[str, EncodedSplit], Any]:
    """As training begins: the resolved recipe, its model, its parts, the tokenizer."""
    recipe, splits = resolve(recipe, None)
    tokenizer = load_tokenizer(recipe.model, recipe.task)
    torch.manual_seed(0)
    model = model_files.build_model(recipe, tokenizer)
    encoded_splits = {
        name: evaluation.encode(split.examples, recipe.task, tokenizer) for name, split in splits.named().items()
    }
    return recipe, model, encoded_splits, tokenizer


def encoder_of(recipe: Recipe) -> tuple[Encoder, EncodedSplit]:
    recipe, model, encoded_splits, tokenizer = ready(recipe)
    features, collate = encoded_splits["train"].features, recipe.task.collator(tokenizer, model)
    names = tuple(name for name in tokenizer.model_input_names if name in features.column_names)
    encoder = reads.detect_reads(recipe.task, model, features, names, collate)
    assert encoder is not None
    return encoder, encoded_splits["train"]


@pytest.mark.parametrize("weighted", [False, True], ids=["last layer", "weighted layers"])
@pytest.mark.parametrize("architecture", ["bert", "albert", "roberta", "distilbert"])
@pytest.mark.parametrize("name", READS)
def test_what_is_played_is_what_is_computed(make: Make, name: str, architecture: str, weighted: bool) -> None:
    recipe, model, encoded_splits, tokenizer = ready(make(name, architecture, weighted=weighted))
    before = {
        split: evaluation.outputs(model, recipe.task, encoded, tokenizer) for split, encoded in encoded_splits.items()
    }
    learned = feature_cache.cached_splits(recipe, model, encoded_splits, tokenizer, "cpu")
    assert before.keys() >= {"train", "validation"}
    for split, (items, loss) in before.items():
        assert "feature_row" in learned[split].features.column_names
        for encoded in (learned[split], encoded_splits[split]):  # attach_cache, and computed as before
            again, loss_again = evaluation.outputs(model, recipe.task, encoded, tokenizer)
            assert np.allclose(evaluation.flat(again), evaluation.flat(items), rtol=0, atol=1e-6)
            assert loss_again == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "weighted"),
    [("text-classification", True), ("token-classification", False), ("question-answering", False)],
)
def test_training_on_what_is_kept_is_training(make: Make, name: str, weighted: bool) -> None:
    kept, again = (train(make(name, cache=cache, weighted=weighted)) for cache in (True, False))
    weights = [load_file(run.path / "trained.safetensors") for run in (kept, again)]
    assert weights[0].keys() == weights[1].keys()
    for parameter, weight in weights[0].items():
        assert torch.allclose(weight, weights[1][parameter], rtol=0, atol=1e-6), parameter
    assert kept.results["validation"]["loss"] == pytest.approx(again.results["validation"]["loss"], abs=1e-6)


@pytest.mark.parametrize("name", READS)
def test_the_least_that_the_head_reads_is_found(make: Make, name: str) -> None:
    encoder, encoded = encoder_of(make(name))
    lengths = np.array(encoded.features["length"][:])
    assert encoder.reads == READS[name]
    assert encoder.lengths(encoded.features).tolist() == {
        "text-classification": [1] * len(lengths),
        "token-classification": lengths.tolist(),
        "question-answering": [lengths.max()] * len(lengths),
    }[name]  # fmt: skip


def test_every_layer_is_kept_where_the_head_mixes_them(make: Make) -> None:
    recipe, model, encoded_splits, tokenizer = ready(make(weighted=True))
    feature_cache.cached_splits(recipe, model, encoded_splits, tokenizer, "cpu")
    sizes = sorted(path.stat().st_size for path in store.root().glob("*/states.f32"))
    assert sizes == [features * 1 * 2 * 32 * 4 for features in (6, 18)]  # positions, layers, hidden size, bytes


def test_the_encoder_runs_as_often_for_many_epochs_as_for_one(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    forward = BertLayer.forward

    def counted(self: Any, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        rows.append(len(hidden_states))
        return forward(self, hidden_states, *args, **kwargs)

    monkeypatch.setattr(BertLayer, "forward", counted)
    counts = []
    for epochs, cache in ((1, True), (4, True), (4, False)):
        monkeypatch.setenv("HF_TASKS_CACHE", str(tmp_path / f"{epochs}"))
        rows.clear()
        train(make(epochs=epochs, cache=cache))
        counts.append(sum(rows))
    layers, splits, tried = 2, 18 + 6, 8 + 1
    assert counts[0] == counts[1]
    assert counts[2] == counts[1] + layers * (4 * splits - splits - tried)


def announced(recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is said of the states before a training."""
    recipe, model, encoded_splits, tokenizer = ready(recipe)
    learned = feature_cache.cached_splits(recipe, model, encoded_splits, tokenizer, "cpu")
    items, _ = evaluation.outputs(model, recipe.task, learned["train"], tokenizer)
    assert len(items) == 18
    return [line.removeprefix("  cache      ") for line in capsys.readouterr().err.splitlines() if "  cache  " in line]


def test_kept_states_serve_the_next_training(make: Make, capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    assert announced(make(), capsys) == [
        f"train: 18 x 1 x 32, 2304 bytes, written to {cache}",
        f"validation: 6 x 1 x 32, 768 bytes, written to {cache}",
    ]
    assert announced(make(), capsys) == [
        f"train: 2304 bytes, found in {cache}",
        f"validation: 768 bytes, found in {cache}",
    ]


def test_too_many_states_are_computed_in_every_epoch(
    make: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(store, "LIMIT", 1000)
    assert announced(make(), capsys) == [
        f"train: 2304 bytes are more than the limit of 1000 bytes of {cache}; the encoder runs in every epoch",
        f"validation: 6 x 1 x 32, 768 bytes, written to {cache}",
    ]


def test_a_folder_that_cannot_be_written(
    make: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("HF_TASKS_CACHE", str(tmp_path / "file"))
    problem = f"they cannot be written to {tmp_path}/file/features: Not a directory; the encoder runs in every epoch"
    assert announced(make(), capsys) == [f"train: {problem}", f"validation: {problem}"]


def test_a_head_that_cannot_be_understood(
    make: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "unknown which states of this model the head reads: the encoder runs in every epoch"
    monkeypatch.setattr(reads, "READS", (Reads("first", every_layer=False),))
    assert announced(make("token-classification"), capsys) == [line]


def test_the_key_is_of_data_model_and_encoding(make: Make, tiny: Tiny) -> None:
    encoder, encoded = encoder_of(make("token-classification"))
    key = encoder.key(encoded.features, False)
    again, _ = encoder_of(make("token-classification"))
    assert again.key(encoded.features, False) == key
    shorter, cut = encoder_of(make("token-classification", max_length=8))
    other, same = encoder_of(make("token-classification", "distilbert"))
    keys = {
        "same": key,
        "precision": encoder.key(encoded.features, True),
        "fewer rows": encoder.key(encoded.features.select(range(17)), False),
        "other order": encoder.key(encoded.features.select([1, 0, *range(2, 18)]), False),
        "max_length": shorter.key(cut.features, False),
        "architecture": other.key(same.features, False),
    }
    with torch.no_grad():
        again.model.bert.encoder.layer[1].output.dense.bias[3] += 1e-3
    changed, _ = encoder_of(make("token-classification"))
    changed.model.load_state_dict(again.model.state_dict())
    keys["a weight"] = changed.key(encoded.features, False)
    assert len(set(keys.values())) == len(keys)
    with torch.no_grad():
        encoder.model.classifier.weight.zero_()
    assert Encoder(**vars_of(encoder)).key(encoded.features, False) == key


def vars_of(encoder: Encoder) -> dict[str, Any]:
    return {name: getattr(encoder, name) for name in ("model", "stack", "inputs", "collate", "reads", "like")}
