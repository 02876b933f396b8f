"""Vectors of texts: the numbers of a plain transformers loop, a row for each row."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from conftest import Tiny, hasten
from transformers import AutoModel, AutoTokenizer
from typer.testing import CliRunner

from hf_tasks.cli import app
from hf_tasks.core.errors import DataError, RecipeError, RunError
from hf_tasks.recipe import from_dict
from hf_tasks.runs import embed
from hf_tasks.runs.embed import Extractor
from hf_tasks.training import train

TEXTS = ["a good film", "", "the old city by the river is slow and quiet and small", "bad", "a good film"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    return tmp_path / "texts.jsonl"


def plain(folder: Path) -> list[np.ndarray]:
    """(tokens, layers, H) of each text, one text at a time."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        states = [model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True) for text in TEXTS]
    return [torch.stack(one.hidden_states, dim=2)[0].numpy() for one in states]


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["embed", *map(str, arguments), "--overwrite"])


@pytest.mark.parametrize("architecture", ["bert", "albert", "roberta", "distilbert"])
def test_every_vector_is_that_of_a_plain_loop(tiny: Tiny, architecture: str) -> None:
    expected = plain(tiny(architecture))
    extractor = Extractor.load(str(tiny(architecture)))
    pools = {"none": lambda one: one, "cls": lambda one: one[0], "mean": lambda one: one.mean(0)}
    for pool, of in pools.items():
        (encoded,) = extractor.encode(TEXTS, [0, 1, 2], pool, batch_size=2)  # type: ignore[arg-type]
        assert [one.text for one in encoded] == TEXTS
        for one, states in zip(encoded, expected, strict=True):
            assert np.allclose(one.vectors, of(states), rtol=0, atol=1e-6)


def test_a_file_of_texts_becomes_a_table(tiny: Tiny, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    result = run(file, "--model", tiny("bert"), "-o", out)
    assert result.exit_code == 0
    assert result.stderr.startswith(f"5 rows in {out}, ")
    table = pq.read_table(out)
    assert table.column_names == ["text", "embedding"]
    assert str(table.schema.field("embedding").type) == "fixed_size_list<element: float>[32]"
    assert table["text"].to_pylist() == TEXTS
    expected = np.stack([one[:, -1].mean(0) for one in plain(tiny("bert"))])
    assert np.allclose(np.array(table["embedding"].to_pylist()), expected, rtol=0, atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "texts.jsonl"]


def test_tokens_of_several_layers(tiny: Tiny, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    assert run(file, "--model", tiny("bert"), "-o", out, "--pool", "none", "--layers", "-1,0").exit_code == 0
    table = pq.read_table(out)
    assert table.column_names == ["text", "tokens", "layer_2", "layer_0"]
    assert table["tokens"].to_pylist()[:2] == [["[CLS]", "a", "good", "film", "[SEP]"], ["[CLS]", "[SEP]"]]
    for column, layer in (("layer_2", 2), ("layer_0", 0)):
        for found, expected in zip(table[column].to_pylist(), plain(tiny("bert")), strict=True):
            assert np.allclose(found, expected[:, layer], rtol=0, atol=1e-6)


def test_an_array_of_every_layer_in_unit_length(tiny: Tiny, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    assert run(file, "--model", tiny("bert"), "-o", out, "--layers", "all", "--normalize").exit_code == 0
    found = np.load(out)
    assert found.shape == (5, 3, 32)
    assert np.allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-6)
    expected = plain(tiny("bert"))[2].mean(0)
    assert np.allclose(found[2], expected / np.linalg.norm(expected, axis=-1, keepdims=True), rtol=0, atol=1e-6)
    assert run(file, "--model", tiny("bert"), "-o", out, "--pool", "cls").exit_code == 0
    assert np.load(out).shape == (5, 32)


def test_long_texts_are_cut_and_counted(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("a good film\n" + "good " * 100 + "\n")
    out = tmp_path / "out.parquet"
    result = run(tmp_path / "texts.txt", "--model", tiny("bert"), "-o", out, "--pool", "none")
    assert result.stderr.endswith("; 1 texts cut to 64 tokens\n")
    assert [len(tokens) for tokens in pq.read_table(out)["tokens"].to_pylist()] == [5, 64]


def test_chunks_keep_the_order(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "CHUNK", 2)
    chunks = list(Extractor.load(str(tiny("bert"))).encode(TEXTS, [2], "mean", batch_size=1))
    assert [[one.text for one in chunk] for chunk in chunks] == [TEXTS[:2], TEXTS[2:4], TEXTS[4:]]


def test_layers_by_number(tiny: Tiny) -> None:
    extractor = Extractor.load(str(tiny("bert")))
    assert [extractor.layers(wanted) for wanted in ("last", "all", "-1,-2", "0")] == [[2], [0, 1, 2], [2, 1], [0]]
    with pytest.raises(RecipeError, match=r"^--layers 1,7: there is no layer 7; there are 0 \(embeddings\) to 2"):
        extractor.layers("1,7")
    with pytest.raises(RecipeError, match=r"^--layers top: give last, all, or numbers such as -1,-2$"):
        extractor.layers("top")


def test_an_encoder_decoder_gives_its_encoder(tiny: Tiny) -> None:
    from transformers import T5EncoderModel

    extractor = Extractor.load(str(tiny("t5")))
    model = T5EncoderModel.from_pretrained(tiny("t5")).eval()
    with torch.inference_mode():
        states = model(**extractor.tokenizer("a good film", return_tensors="pt")).last_hidden_state[0]
    ((one,),) = extractor.encode(["a good film"], extractor.layers("last"), "none")
    assert np.allclose(one.vectors[:, 0], states.numpy(), rtol=0, atol=1e-6)


def test_a_run_gives_the_vectors_of_what_it_learned(
    tiny: Tiny, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    rows = [{"text": text, "label": "yes"} for text in TEXTS if text] + [{"text": "slow", "label": "no"}] * 4
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    values = {
        "name": "tiny",
        "task": {"name": "text-classification", "max_length": 8},
        "data": {"train": str(tmp_path / "rows.jsonl"), "validation_size": 0},
        "model": {"name_or_path": str(tiny("bert"))},
        "training": {"num_train_epochs": 4, "learning_rate": 1e-2, "output_dir": str(tmp_path / "run")},
    }
    trained = train(from_dict(values))
    model = AutoModel.from_pretrained(trained.path).eval()
    with torch.inference_mode():
        expected = model(**trained.tokenizer(TEXTS[0], return_tensors="pt")).last_hidden_state[0, 0]
    out = tmp_path / "out.npy"
    result = run(file, "--model", trained.path, "-o", out, "--pool", "cls")
    assert result.stderr.endswith("; 1 texts cut to 8 tokens\n")
    assert np.allclose(np.load(out)[0], expected.numpy(), rtol=0, atol=1e-6)
    assert not np.allclose(np.load(out)[0], plain(tiny("bert"))[0][0, -1], atol=1e-3)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    for name, pool, problem in [
        ("out.csv", "mean", "embeddings are written as .parquet or .npy; use one of these endings"),
        ("out.npy", "none", ".npy holds one vector per text; write .parquet, or choose --pool mean or cls"),
        ("no/out.npy", "mean", f"there is no folder {tmp_path}/no; create it first"),
    ]:
        with pytest.raises(DataError) as e:
            embed.check_output(tmp_path / name, pool)  # type: ignore[arg-type]
        assert str(e.value) == f"{tmp_path / name}: {problem}"


def test_a_model_that_is_not_there(file: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no folder no/such/model"):
        Extractor.load("no/such/model")
