"""Tokens by one uniform number a row and step."""

import numpy as np
import pytest
import torch

from hf_tasks.decoding.sampling import Sampler, uniforms, warpers

PROBABILITIES = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
ALL = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "epsilon_cutoff": 0.0}
IDS = torch.zeros(2, 1, dtype=torch.long)


def chosen(numbers: list[float], **how: float) -> list[int]:
    sampler = Sampler(np.array(numbers)[:, None], warpers(**ALL | how), [])
    scores = sampler(IDS, PROBABILITIES.log())
    assert (scores == 0).sum(1).tolist() == [1, 1]
    assert scores.isinf().sum(1).tolist() == [3, 3]
    return scores.argmax(1).tolist()


@pytest.mark.parametrize(
    ("number", "first", "second"), [(0.0, 0, 0), (0.05, 0, 0), (0.15, 1, 0), (0.45, 2, 1), (0.65, 3, 1), (0.95, 3, 3)]
)
def test_a_number_is_a_place_in_the_cumulative_distribution(number: float, first: int, second: int) -> None:
    assert chosen([number, number]) == [first, second]


def test_tokens_that_are_cut_off_are_never_drawn() -> None:
    almost_1 = float(np.nextafter(1.0, 0.0))
    assert chosen([0.0, almost_1], top_k=2) == [2, 1]
    assert chosen([0.0, almost_1], epsilon_cutoff=0.25) == [2, 1]
    assert chosen([0.0, almost_1], top_p=0.6) == [2, 1]
    assert chosen([almost_1, 0.0], top_k=1) == [3, 0]


def test_the_log_probability_is_of_the_text_up_to_its_end_under_the_whole_model() -> None:
    sampler = Sampler(np.array([[0.45, 0.0, 0.65], [0.95, 0.45, 0.0]]), warpers(**ALL | {"top_k": 3}), [3])
    drawn = [sampler(IDS, PROBABILITIES.log()).argmax(1).tolist() for _ in range(3)]
    assert list(zip(*drawn, strict=True)) == [(2, 1, 3), (2, 1, 0)]
    assert sampler.log_probabilities.tolist() == pytest.approx(
        [np.log(0.3 * 0.2 * 0.4), np.log(0.2 * 0.3 * 0.4)], abs=1e-6
    )
    ended = Sampler(np.array([[0.95, 0.0], [0.0, 0.95]]), warpers(**ALL), [3])
    for _ in range(2):
        ended(IDS, PROBABILITIES.log())
    assert ended.log_probabilities.tolist() == pytest.approx([np.log(0.4), np.log(0.4 * 0.1)], abs=1e-6)


def test_each_prompt_has_numbers_of_its_own() -> None:
    both = uniforms(3, [4, 7], 2, 5)
    assert both.shape == (4, 5)
    assert np.array_equal(both[2:], uniforms(3, [7], 2, 5))
    assert not np.array_equal(both[:2], both[2:])
    assert not np.array_equal(both, uniforms(4, [4, 7], 2, 5))
