"""The utility by meaning, against its definition one pair and one token at a time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Tiny
from transformers import AutoModel, AutoTokenizer

from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.decoding import MBR
from hf_tasks.decoding import bertscore as module
from hf_tasks.decoding.bertscore import embedding, greedy_matching
from hf_tasks.decoding.mbr import mbr
from hf_tasks.recipe import from_dict
from hf_tasks.runs.combine_systems import utility_of

HYPOTHESES = ["the good film", "a bad book in paris", "", "the good film"]
REFERENCES = ["the film was good", "mary lives", ""]


def one_pair(model: Any, tokenizer: Any, hypothesis: str, reference: str) -> float:
    vectors = []
    for text in (hypothesis, reference):
        with torch.inference_mode():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 1:-1]
        vectors.append([(state / state.norm()).numpy() for state in states])
    if not all(vectors):
        return 0.0
    precision = np.mean([max(a @ b for b in vectors[1]) for a in vectors[0]])
    recall = np.mean([max(a @ b for a in vectors[0]) for b in vectors[1]])
    return float(200 * precision * recall / (precision + recall))


@pytest.mark.parametrize("largest", [50_000_000, 1])
def test_values_are_those_of_the_definition(tiny: Tiny, largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", largest)
    place = str(tiny("bert"))
    found = embedding(place)(HYPOTHESES, REFERENCES)
    model, tokenizer = AutoModel.from_pretrained(place).eval(), AutoTokenizer.from_pretrained(place)
    expected = [[one_pair(model, tokenizer, h, r) for r in REFERENCES] for h in HYPOTHESES]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert found[2].tolist() == [0, 0, 0]


def test_a_text_is_its_own_best_match(tiny: Tiny) -> None:
    matrix = embedding(str(tiny("bert")))(HYPOTHESES[:2], HYPOTHESES[:2])
    assert np.diag(matrix) == pytest.approx([100, 100], abs=1e-3)
    assert matrix[0, 1] < 99
    assert matrix[0, 1] == pytest.approx(matrix[1, 0], abs=1e-4)


def test_matching_of_given_vectors() -> None:
    hypotheses = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([2])
    references = np.array([[1.0, 0.0]]), np.array([1])
    assert greedy_matching(hypotheses, references).tolist() == [[pytest.approx(200 * 0.5 * 1 / 1.5)]]
    assert greedy_matching((np.zeros((0, 2)), np.array([], int)), references).shape == (0, 1)


def test_the_consensus_of_systems_by_meaning(tiny: Tiny) -> None:
    by_name = utility_of(f"embedding:{tiny('bert')}")
    assert by_name(HYPOTHESES, REFERENCES).tolist() == embedding(str(tiny("bert")))(HYPOTHESES, REFERENCES).tolist()


def test_an_encoder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(RunError) as e:
        embedding(str(tmp_path))
    assert str(e.value).startswith(f"utility: the encoder {tmp_path} cannot be loaded: ")


def test_mbr_by_meaning(tiny: Tiny) -> None:
    place = str(tiny("bert"))
    decoding = MBR(name="mbr", num_samples=4, utility="embedding", utility_model=place)
    index, facts = decoding.select(HYPOTHESES, [0.0] * 4)
    choice = mbr(HYPOTHESES, embedding(place))
    assert index == choice.index
    assert facts == {"expected_utility": float(choice.expected[choice.index])}
    kept = decoding.model_copy(update={"keep_candidates": True, "num_samples": 3})
    assert kept.select(HYPOTHESES, [0.0] * 4)[1]["candidates"] == HYPOTHESES[:3]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"utility": "embedding"}, "utility: embedding needs utility_model: an encoder, e.g. a Hub model id"),
        ({"utility_model": "x"}, "utility_model goes with utility: embedding; remove one of them"),
    ],
)
def test_the_model_and_the_utility_go_together(keys: dict[str, Any], expected: str) -> None:
    values = {"name": "x", "task": {"name": "translation"}, "data": {"train": "x"}, "model": {"name_or_path": "t5"}}
    with pytest.raises(RecipeError) as e:
        from_dict(values | {"decoding": {"name": "mbr"} | keys})
    assert str(e.value) == f"recipe: decoding: {expected}"
