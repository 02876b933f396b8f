"""Losses of whole batches do not depend on how the batch is cut: pieces, processes, too little memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from conftest import Tiny
from safetensors.torch import load_file

from hf_tasks.core import distributed
from hf_tasks.models.sentence_embedding import EMBEDDING, embed_sentences
from hf_tasks.recipe import from_dict
from hf_tasks.runs.staged_run import StagedRun
from hf_tasks.tasks import SentenceSimilarity
from hf_tasks.tasks.collate import IGNORE
from hf_tasks.training import gradient_cache, train
from hf_tasks.training.gradient_cache import cached_pieces

CPU = torch.device("cpu")
IN_BATCH = SentenceSimilarity(name="sentence-similarity", target="positive", loss_function="in-batch", symmetric=True)
COSENT = SentenceSimilarity(name="sentence-similarity", target="score", loss_function="cosent", dimensions=(8,))


@pytest.fixture(scope="module")
def model(tiny: Tiny) -> Any:
    encoder = transformers.AutoModel.from_pretrained(tiny("bert"))
    embed_sentences(encoder, "mean")
    return encoder.train()


def batch(rows: int = 6) -> dict[str, Any]:
    """Rows of 3 texts of 5 tokens; the last row has 2."""
    torch.manual_seed(1)
    real = torch.ones(rows, 3, dtype=torch.bool)
    real[-1, 2] = False
    ids = torch.randint(5, 90, (rows, 3, 5))
    numbers = torch.arange(rows * 3).view(rows, 3)
    return {
        "input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.arange(float(rows)),
        "loss_real": real, "loss_texts": numbers,
    }  # fmt: skip


def cut(whole: dict[str, Any], size: int) -> list[dict[str, Any]]:
    starts = range(0, len(whole["labels"]), size)
    return [{name: column[i : i + size] for name, column in whole.items()} for i in starts]


def embed(model: Any, piece: dict[str, Any]) -> Any:
    return model(input_ids=piece["input_ids"], attention_mask=piece["attention_mask"])[EMBEDDING]


def by_cache(model: Any, task: SentenceSimilarity, pieces: list[dict[str, Any]]) -> tuple[float, dict[str, Any]]:
    """(loss, gradients) with dropout, from seed 7."""
    model.zero_grad()
    torch.manual_seed(7)
    total = 0.0
    for piece, cached in zip(pieces, cached_pieces(task, pieces, lambda p: embed(model, p), CPU), strict=True):
        with cached.same_random_numbers():
            embeddings = embed(model, piece)
        loss = cached.backward_loss(embeddings)
        loss.backward()
        total += float(loss.detach())
    return total, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def with_graph(model: Any, task: SentenceSimilarity, pieces: list[dict[str, Any]]) -> tuple[float, dict[str, Any]]:
    """The same from one backward pass through all pieces."""
    model.zero_grad()
    torch.manual_seed(7)
    embeddings = torch.cat([embed(model, piece) for piece in pieces])
    whole = {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}
    loss = task.loss({EMBEDDING: embeddings}, whole)
    loss.backward()
    return float(loss.detach()), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same(found: tuple[float, dict[str, Any]], expected: tuple[float, dict[str, Any]]) -> None:
    assert found[0] == pytest.approx(expected[0], rel=1e-6)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in found[1].items():
        torch.testing.assert_close(gradient, expected[1][name], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("task", [IN_BATCH, COSENT], ids=["in-batch", "cosent"])
@pytest.mark.parametrize("size", [6, 2, 1])
def test_pieces_with_dropout_give_the_gradients_of_the_whole_batch(
    model: Any, task: SentenceSimilarity, size: int
) -> None:
    pieces = cut(batch(), size)
    found = by_cache(model, task, pieces)
    assert_same(found, with_graph(model, task, pieces))
    assert not any("pooler" in name for name in found[1])


def test_processes_give_the_gradients_of_the_whole_batch(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes, of which the second has a row less and fills its last piece; the sum of their gradients."""
    whole = batch(5)
    shares = [cut({n: c[:3] for n, c in whole.items()}, 2), cut({n: c[3:] for n, c in whole.items()}, 2)]
    filler = {name: column[:1].clone() for name, column in whole.items()}
    filler["labels"].fill_(IGNORE)
    shares[1].append(filler)
    expected = with_graph(model.eval(), IN_BATCH, [whole])
    of_all: list[Any] = []

    def known(mine: Any) -> Any:
        of_all.append(mine)
        raise InterruptedError

    monkeypatch.setattr(distributed, "gather", known)
    for share in shares:
        with pytest.raises(InterruptedError):
            by_cache(model, IN_BATCH, share)
    monkeypatch.setattr(distributed, "gather", lambda _: of_all)
    results = []
    for rank, share in enumerate(shares):
        monkeypatch.setattr(distributed, "rank_and_size", lambda rank=rank: (rank, 2))
        results.append(by_cache(model, IN_BATCH, share))
    model.train()
    added = {name: results[0][1][name] + results[1][1][name] for name in results[0][1]}
    assert_same((results[0][0] + results[1][0], added), expected)


# -- in a training


def trained(tiny: Tiny, folder: Path, run: str, **training: Any) -> tuple[dict[str, Any], list[float]]:
    """(weights, logged losses) of two epochs on 10 anchors, 6 a step, without dropout."""
    model = folder / "model"
    if not model.is_dir():
        model.mkdir()
        for file in tiny("bert").iterdir():
            (model / file.name).write_bytes(file.read_bytes())
        config = json.loads((model / "config.json").read_text())
        none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        (model / "config.json").write_text(json.dumps(config | none))
        names = ["paris", "rome", "london", "film", "book", "king", "queen", "river", "bank", "money"]
        rows = [{"anchor": f"the {name}", "positive": f"a {name} {name}"} for name in names]
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe = from_dict(
        {
            "name": run, "task": {"name": "sentence-similarity", "max_length": 16},
            "data": {"train": str(folder / "rows.jsonl"), "validation_size": 0},
            "model": {"name_or_path": str(model)},
            "training": {"num_train_epochs": 2, "batch_size": 6, "bf16": False, "learning_rate": 1e-3,
                         "logging_steps": 1, "output_dir": str(folder / run)} | training,
        }
    )  # fmt: skip
    done = train(recipe)
    log = [json.loads(line) for line in (done.path / "training_log.jsonl").read_text().splitlines()]
    return load_file(done.path / "model.safetensors"), [row["loss"] for row in log if "loss" in row]


@pytest.fixture
def _unverified(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(StagedRun, "verify", lambda *_: None)
    yield


@pytest.mark.usefixtures("_unverified")
def test_a_training_in_pieces_or_with_little_memory_learns_the_same(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, losses = trained(tiny, tmp_path, "whole")
    pieces, of_pieces = trained(tiny, tmp_path, "pieces", per_device_train_batch_size=2)
    real, tried = transformers.BertModel.forward, list[int]()

    def forward(self: Any, input_ids: Any, **options: Any) -> Any:
        if self.training:
            tried.append(len(input_ids))
            if len(input_ids) > 4:  # texts: 2 rows
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 MiB")
        return real(self, input_ids=input_ids, **options)

    monkeypatch.setattr(transformers.BertModel, "forward", forward)
    divided, of_divided = trained(tiny, tmp_path, "divided")
    assert tried[:3] == [12, 6, 4]
    assert of_pieces == pytest.approx(losses, rel=1e-5)
    assert of_divided == pytest.approx(losses, rel=1e-5)
    for name, tensor in expected.items():
        torch.testing.assert_close(pieces[name], tensor, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(divided[name], tensor, atol=1e-5, rtol=1e-4)


@pytest.mark.usefixtures("_unverified")
def test_a_resumed_training_ends_with_the_same_weights(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With dropout, in pieces, stopped after the first epoch."""
    options = {"per_device_train_batch_size": 2}
    monkeypatch.setattr(transformers.BertConfig, "hidden_dropout_prob", 0.1, raising=False)
    expected, _ = trained(tiny, tmp_path, "whole", **options)
    from hf_tasks.training import checkpoints

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoints, "rotate", stop)
        trained(tiny, tmp_path, "stopped", **options)
    resumed, _ = trained(tiny, tmp_path, "stopped", **options)
    assert all(torch.equal(resumed[name], tensor) for name, tensor in expected.items())


def test_the_cache_gathers_only_what_the_loss_reads() -> None:
    assert set(gradient_cache._loss_columns(batch())) == {"labels", "loss_real", "loss_texts"}
