"""Losses computed by hand and by sentence-transformers, rows, ranks, and what a run saves."""

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Tiny

from hf_tasks import data
from hf_tasks.core.errors import DataError, RecipeError
from hf_tasks.models.load import load_tokenizer
from hf_tasks.recipe import from_dict
from hf_tasks.runs import evaluation, model_files
from hf_tasks.runs.export import export
from hf_tasks.runs.run import Run
from hf_tasks.runs.staged_run import StagedRun
from hf_tasks.tasks import SentenceSimilarity
from hf_tasks.tasks.sentence_similarity import losses
from hf_tasks.tasks.sentence_similarity.features import groups
from hf_tasks.tasks.sentence_similarity.ranks import ranked

HAS_ORACLE = importlib.util.find_spec("sentence_transformers") is not None
ALL = torch.ones(4, 3, dtype=torch.bool)


def numbers(rows: int, texts: int = 2) -> Any:
    return torch.arange(rows * texts).view(rows, texts)


def in_batch(embeddings: Any, texts: Any = None, scale: float = 20.0, *, symmetric: bool = False) -> float:
    rows, count = embeddings.shape[:2]
    real = torch.ones(rows, count, dtype=torch.bool)
    known = numbers(rows, count) if texts is None else torch.tensor(texts)
    return float(losses.in_batch(embeddings, real, known, scale, symmetric=symmetric)) / rows


def test_in_batch_by_hand() -> None:
    assert in_batch(torch.ones(4, 2, 3)) == pytest.approx(math.log(4))
    pairs = torch.eye(2)[:, None].expand(2, 2, 2)
    for symmetric in (False, True):
        assert in_batch(pairs, scale=1, symmetric=symmetric) == pytest.approx(math.log(1 + 1 / math.e))


def test_explicit_negatives_are_candidates_of_every_row() -> None:
    embeddings = torch.ones(2, 3, 4)  # 2 positives and 2 negatives
    assert in_batch(embeddings) == pytest.approx(math.log(4))
    real = torch.tensor([[True, True, True], [True, True, False]])
    loss = losses.in_batch(embeddings, real, numbers(2, 3), 20, symmetric=False)
    assert float(loss) / 2 == pytest.approx(math.log(3))


def test_known_positives_and_the_anchor_itself_are_no_negatives() -> None:
    embeddings = torch.ones(3, 2, 4)
    assert in_batch(embeddings, [[1, 2], [1, 3], [4, 5]]) == pytest.approx((2 * math.log(2) + math.log(3)) / 3)
    assert in_batch(embeddings, [[1, 2], [3, 1], [4, 5]]) == pytest.approx((math.log(2) + 2 * math.log(3)) / 3)
    assert in_batch(embeddings, [[1, 2], [3, 2], [4, 5]]) == pytest.approx((2 * math.log(2) + math.log(3)) / 3)


def test_triplet_by_hand() -> None:
    rows = torch.tensor([[[0.0, 0], [3, 4], [6, 8], [0, 1]], [[0.0, 0], [0, 1], [0, 4], [9, 9]]])
    real = torch.tensor([[True] * 4, [True, True, True, False]])
    assert float(losses.triplet(rows[:1], real[:1], 1.0)) == pytest.approx(5.5)
    assert float(losses.triplet(rows, real, 1.0)) == pytest.approx(5.5)  # the second is far enough away


def test_equal_texts_have_finite_gradients() -> None:
    for loss in (lambda e: losses.triplet(e, ALL, 1.0), lambda e: losses.cosines(e).sum()):
        embeddings = torch.zeros(4, 3, 2, requires_grad=True)
        loss(embeddings).backward()
        assert embeddings.grad is not None
        assert float(embeddings.grad.abs().max()) < 1e7


def test_losses_of_pairs_by_hand() -> None:
    cosine = torch.tensor([0.9, 0.1])
    assert float(losses.cosent(cosine, torch.tensor([5.0, 1.0]), 1.0)) == pytest.approx(math.log(1 + math.exp(-0.8)))
    assert float(losses.cosent(cosine, torch.tensor([2.0, 2.0]), 1.0)) == 0
    assert float(losses.cosine_regression(cosine, torch.tensor([1.0, 0.0]))) == pytest.approx(0.02)
    assert float(losses.contrastive(cosine, torch.tensor([1.0, 0.0]), 0.5)) == pytest.approx(0.01 / 2)
    assert float(losses.contrastive(cosine, torch.tensor([0.0, 1.0]), 0.5)) == pytest.approx((0.16 + 0.81) / 2)


@pytest.mark.skipif(not HAS_ORACLE, reason="sentence-transformers is not installed")
def test_losses_equal_those_of_sentence_transformers() -> None:
    from sentence_transformers.sentence_transformer import losses as theirs

    torch.manual_seed(0)
    rows, scores, labels = torch.randn(5, 3, 8), torch.rand(5), torch.tensor([1.0, 0, 1, 1, 0])
    columns, first, real = list(rows.unbind(1)), list(rows[:, :2].unbind(1)), torch.ones(5, 3, dtype=torch.bool)
    one: Any = torch.nn.Identity()
    one.similarity_fn_name = "cosine"
    expected = {
        "in-batch": theirs.MultipleNegativesRankingLoss(one).compute_loss_from_embeddings(columns, None),
        "cosent": theirs.CoSENTLoss(one).compute_loss_from_embeddings(first, scores),
        "cosine": theirs.CosineSimilarityLoss(one).compute_loss_from_embeddings(first, scores),
        "contrastive": theirs.ContrastiveLoss(one).compute_loss_from_embeddings(first, labels),
        "triplet": theirs.TripletLoss(one, triplet_margin=1).compute_loss_from_embeddings(columns, None),
    }
    cosine = losses.cosines(rows)
    found = {
        "in-batch": losses.in_batch(rows, real, numbers(5, 3), 20, symmetric=False) / 5,
        "cosent": losses.cosent(cosine, scores, 20),
        "cosine": losses.cosine_regression(cosine, scores) / 5,
        "contrastive": losses.contrastive(cosine, labels, 0.5) / 5,
        "triplet": losses.triplet(rows, real, 1.0) / 5 / 2,  # of one negative, mean and closest are the same
    }
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(float(value), rel=1e-5), name


def test_ranks_leave_out_other_positives_and_the_anchor() -> None:
    texts = {"q": [1, 0], "best": [1, 0.1], "good": [1, 0.3], "far": [0, 1], "r": [0.1, 1]}
    examples = [
        {"anchor": "q", "positive": "best", "negatives": []},
        {"anchor": "q", "positive": "good", "negatives": ["q"]},
        {"anchor": "r", "positive": "good", "negatives": ["far"]},
    ]
    items = [
        np.array([texts[one["anchor"]], texts[one["positive"]], *(texts[t] for t in one["negatives"])], float)
        for one in examples
    ]
    found = ranked(examples, items)
    assert [one["rank"] for one in found] == [1, 1, 2]
    constant = ranked(examples, [np.ones_like(item) for item in items])
    assert [one["rank"] for one in constant] == [2, 2, 4]


def test_rows_that_share_a_text_are_one_group() -> None:
    found = groups([("a", "b"), ("c", "d"), ("b", "e"), ("f", "c"), ("g", "h")])
    assert len(set(found)) == 3
    assert found[0] == found[2] != found[1] == found[3]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"sentence1": "a", "sentence2": "b", "label": 2}], "the label 2 is neither 0 nor 1"),
        ([{"sentence1": "a", "score": 2}], 'no column "sentence2"'),
        ([{"anchor": "a", "positive": "b", "negatives": 5}], "the negatives are no texts but 5"),
        ([{"anchor": "a", "positive": "b", "negatives": ["b"]}], "the positive is also a negative"),
        ([{"sentence1": " ", "sentence2": "b", "score": 2}], "the sentence1 is empty"),
    ],
)
def test_bad_rows(rows: list[dict[str, Any]], message: str) -> None:
    task = SentenceSimilarity(name="sentence-similarity")
    with pytest.raises((DataError, ValueError), match=message):
        split = data.read_rows(rows, task, labelled=True)
        data.check(split, task.fit(split.examples))


def test_keys_that_the_loss_does_not_read_are_refused() -> None:
    base = {"name": "x", "data": {"train": "t.csv"}, "model": {"name_or_path": "m"}}
    with pytest.raises(RecipeError, match=r"task.margin: the loss in-batch does not read it; remove it"):
        from_dict(base | {"task": {"name": "sentence-similarity", "loss_function": "in-batch", "margin": 1.0}})
    with pytest.raises(RecipeError, match=r"cosent does not learn from the column label; use contrastive"):
        task = {"name": "sentence-similarity", "loss_function": "cosent", "target": "label"}
        from_dict(base | {"task": task})


# -- what is saved

TEXTS = ["the good film", "a bad book in rome", "mary lives in paris and john works in london"]


def saved_run(tiny: Tiny, folder: Path, **model: Any) -> Run:
    (folder / "rows.jsonl").write_text(json.dumps({"anchor": "a film", "positive": "a book"}) + "\n", encoding="utf-8")
    recipe = from_dict(
        {
            "name": "saved", "task": {"name": "sentence-similarity", "max_length": 16},
            "data": {"train": str(folder / "rows.jsonl"), "validation_size": 0},
            "model": {"name_or_path": str(tiny("bert")), **model},
            "training": {"output_dir": str(folder / "run")},
        }
    )  # fmt: skip
    task = recipe.task.fit(data.read_rows([{"anchor": "a", "positive": "b"}], recipe.task, labelled=True).examples)
    recipe = recipe.model_copy(update={"task": task})
    tokenizer = load_tokenizer(recipe.model, task)
    recipe.output_dir.mkdir()
    StagedRun.begin(recipe, None)
    return StagedRun.create(recipe, model_files.build_model(recipe, tokenizer), tokenizer, {}, [])


def embedded(run: Run) -> np.ndarray:
    task = run.recipe.task
    split = data.read_rows([{"anchor": text} for text in TEXTS], task, labelled=False)
    items, _ = evaluation.outputs(
        run.model, task, evaluation.encode(split.examples, task, run.tokenizer), run.tokenizer
    )
    return np.concatenate(items)


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_a_run_loads_as_plain_model_and_in_sentence_transformers(tiny: Tiny, tmp_path: Path, pooling: str) -> None:
    run = saved_run(tiny, tmp_path, pooling=pooling)
    expected = embedded(run)
    from transformers import AutoModel

    inputs = run.tokenizer(TEXTS, truncation=True, max_length=16, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = AutoModel.from_pretrained(run.path).eval()(**inputs).last_hidden_state
    mask = inputs["attention_mask"][..., None].bool()
    pooled = {
        "cls": states[:, 0],
        "mean": (states * mask).sum(1) / mask.sum(1),
        "max": states.masked_fill(~mask, -torch.inf).amax(1),
    }
    np.testing.assert_allclose(pooled[pooling].numpy(), expected, atol=1e-6)
    modules = json.loads((run.path / "modules.json").read_text())
    assert [one["type"].rpartition(".")[2] for one in modules] == ["Transformer", "Pooling"]
    if HAS_ORACLE:
        from sentence_transformers import SentenceTransformer

        theirs = SentenceTransformer(str(run.path), device="cpu")
        assert theirs.max_seq_length == 16
        np.testing.assert_allclose(theirs.encode(TEXTS), expected, atol=1e-6)


def test_a_model_without_embeddings_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="t5 is an encoder-decoder; choose an encoder"):
        saved_run(tiny, tmp_path, name_or_path=str(tiny("t5")))


def test_a_run_is_exported_with_its_pooling(tiny: Tiny, tmp_path: Path) -> None:
    run = saved_run(tiny, tmp_path, pooling="max")
    assert export(run, tmp_path / "plain", merge=False) < 1e-5
    assert json.loads((tmp_path / "plain" / "1_Pooling" / "config.json").read_text())["pooling_mode_max_tokens"]
