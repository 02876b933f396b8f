"""Tokens by one uniform number a row and step."""

import numpy as np
import pytest
import torch
from transformers import EpsilonLogitsWarper, LogitsProcessor, TopKLogitsWarper, TopPLogitsWarper

from hf_tasks.decoding.loops import Sampler, uniforms

PROBABILITIES = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
BOTH = torch.arange(2)


def chosen(numbers: list[float], *warpers: LogitsProcessor) -> list[int]:
    scores = PROBABILITIES.log()
    for warper in warpers:
        scores = warper(None, scores)
    return Sampler(np.array(numbers)[:, None])(BOTH, PROBABILITIES.log(), scores).tolist()


@pytest.mark.parametrize(
    ("number", "first", "second"), [(0.0, 0, 0), (0.05, 0, 0), (0.15, 1, 0), (0.45, 2, 1), (0.65, 3, 1), (0.95, 3, 3)]
)
def test_a_number_is_a_place_in_the_cumulative_distribution(number: float, first: int, second: int) -> None:
    assert chosen([number, number]) == [first, second]


def test_tokens_that_are_cut_off_are_never_drawn() -> None:
    almost_1 = float(np.nextafter(1.0, 0.0))
    assert chosen([0.0, almost_1], TopKLogitsWarper(2)) == [2, 1]
    assert chosen([0.0, almost_1], EpsilonLogitsWarper(0.25)) == [2, 1]
    assert chosen([0.0, almost_1], TopPLogitsWarper(0.6)) == [2, 1]
    assert chosen([almost_1, 0.0], TopKLogitsWarper(1)) == [3, 0]


def test_the_log_probability_is_of_the_text_under_the_whole_model() -> None:
    sampler = Sampler(np.array([[0.45, 0.0, 0.65], [0.95, 0.45, 0.0]]))
    logits = PROBABILITIES.log() + 3
    cut = TopKLogitsWarper(3)(None, logits)
    drawn = [sampler(BOTH, logits, cut).tolist() for _ in range(3)]
    assert list(zip(*drawn, strict=True)) == [(2, 1, 3), (2, 1, 0)]
    assert sampler.log_probabilities.tolist() == pytest.approx(
        [np.log(0.3 * 0.2 * 0.4), np.log(0.2 * 0.3 * 0.4)], abs=1e-6
    )


def test_rows_that_have_left_draw_no_more() -> None:
    sampler = Sampler(np.array([[0.95, 0.0], [0.0, 0.95]]))
    assert sampler(BOTH, PROBABILITIES.log(), PROBABILITIES.log()).tolist() == [3, 0]
    second = PROBABILITIES[1:].log()
    assert sampler(torch.tensor([1]), second, second).tolist() == [3]
    assert sampler.log_probabilities.tolist() == pytest.approx([np.log(0.4), np.log(0.4 * 0.1)], abs=1e-6)


def test_each_prompt_has_numbers_of_its_own() -> None:
    both = uniforms(3, [4, 7], 2, 5)
    assert both.shape == (4, 5)
    assert np.array_equal(both[2:], uniforms(3, [7], 2, 5))
    assert not np.array_equal(both[:2], both[2:])
    assert not np.array_equal(both, uniforms(4, [4, 7], 2, 5))
