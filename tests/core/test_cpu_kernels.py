"""Dropout in 16 bits, and attention by plain products."""

from collections.abc import Iterator

import pytest
import torch
from torch.nn import functional

from hf_tasks.core import hardware
from hf_tasks.core.cpu_kernels import SHORT_LENGTH, fast_dropout, plain_attention

N = 1_000_000


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_of_zeros_and_the_scale_of_the_rest(p: float) -> None:
    torch.manual_seed(0)
    with fast_dropout():
        y = functional.dropout(torch.ones(N), p)
    zeros = float((y == 0).float().mean())
    assert abs(zeros - p) < 5 * (p * (1 - p) / N) ** 0.5  # five standard errors
    assert torch.allclose(y[y != 0], torch.tensor(1 / (1 - p)))


def test_neighbours_are_dropped_independently() -> None:
    """Four elements share a random word."""
    torch.manual_seed(0)
    with fast_dropout():
        kept = (functional.dropout(torch.ones(N), 0.5) != 0).float()
    for distance in (1, 2, 3, 4):
        both = float((kept[:-distance] * kept[distance:]).mean())
        assert abs(both - 0.25) < 5 * (0.25 * 0.75 / N) ** 0.5
    by_place = kept.view(-1, 4).mean(0)
    assert bool(((by_place - 0.5).abs() < 5 * (0.25 / (N / 4)) ** 0.5).all())


@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 7), (2, 3, 4), (0,)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    with fast_dropout():
        y = functional.dropout(torch.full(shape, 3.0), 0.5)
    assert y.shape == shape
    assert set(y.flatten().tolist()) <= {0.0, 6.0}


def test_a_view_that_is_not_contiguous_keeps_its_values() -> None:
    torch.manual_seed(0)
    x = torch.arange(1.0, 13.0).view(3, 4).t()
    with fast_dropout():
        y = functional.dropout(x, 0.5)
    assert torch.equal(y[y != 0], 2 * x[y != 0])
    assert 0 < int((y != 0).sum()) < 12


def test_the_seed_decides_and_the_generator_moves_on() -> None:
    def draw() -> torch.Tensor:
        return functional.dropout(torch.ones(1000), 0.5)

    with fast_dropout():
        torch.manual_seed(3)
        first, second = draw(), draw()
        torch.manual_seed(3)
        again = draw()
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_the_saved_state_of_the_generator_is_enough_to_go_on() -> None:
    with fast_dropout():
        torch.manual_seed(3)
        functional.dropout(torch.ones(100), 0.5)
        state = torch.get_rng_state()
        expected = functional.dropout(torch.ones(100), 0.5)
        torch.set_rng_state(state)
        assert torch.equal(functional.dropout(torch.ones(100), 0.5), expected)


def test_gradients_pass_where_values_do_and_scaled() -> None:
    torch.manual_seed(0)
    x = torch.randn(1000, requires_grad=True)
    with fast_dropout():
        y = functional.dropout(x, 0.2)
    y.sum().backward()
    assert torch.equal(x.grad, torch.where(y == 0, 0.0, 1.25))


def test_without_training_nothing_happens() -> None:
    x = torch.randn(10)
    layer = torch.nn.Dropout(0.5).eval()
    with fast_dropout():
        assert functional.dropout(x, 0.5, training=False) is x
        assert functional.dropout(x, 0.0) is x
        assert torch.equal(layer(x), x)


def test_the_dtype_stays() -> None:
    with fast_dropout():
        assert functional.dropout(torch.ones(8, dtype=torch.bfloat16), 0.5).dtype == torch.bfloat16


def test_layers_use_it_inside_and_not_outside() -> None:
    x = torch.ones(1000)
    layer = torch.nn.Dropout(0.5)
    torch.manual_seed(0)
    plain = layer(x)
    torch.manual_seed(0)
    with fast_dropout():
        fast = layer(x)
    torch.manual_seed(0)
    assert torch.equal(layer(x), plain)
    assert not torch.equal(fast, plain)


def qkv(length: int = 5, others: int = 7) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(2, 3, length, 8), torch.randn(2, 3, others, 8), torch.randn(2, 3, others, 8)


TINY = 1e-12
"""A dropout so small that it takes the way of dropout and drops nothing."""

MASKS = {
    "none": None,
    "flags": torch.tensor([[True] * 7, [True] * 4 + [False] * 3]).view(2, 1, 1, 7),
    "added": torch.tensor([[0.0] * 7, [0.0] * 4 + [torch.finfo(torch.float32).min] * 3]).view(2, 1, 1, 7),
    "for each position": torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(1)),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention_is_torch_s(mask: torch.Tensor | None, scale: float | None) -> None:
    q, k, v = qkv()
    expected = functional.scaled_dot_product_attention(q, k, v, mask, scale=scale)
    with fast_dropout():
        found = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=TINY, scale=scale)
        untouched = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=0.0, scale=scale)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    assert torch.equal(untouched, expected)


def test_masked_positions_get_no_weight_and_no_gradient() -> None:
    q, k, v = qkv()
    v.requires_grad_()
    with fast_dropout():
        functional.scaled_dot_product_attention(q, k, v, attn_mask=MASKS["flags"], dropout_p=TINY).sum().backward()
    assert bool((v.grad[1, :, 4:] == 0).all())
    assert bool((v.grad[0] != 0).all())


def test_gradients_of_attention_are_torch_s() -> None:
    grads = []
    for fast in (False, True):
        tensors = [tensor.requires_grad_() for tensor in qkv()]
        if fast:
            with fast_dropout():
                y = functional.scaled_dot_product_attention(*tensors, attn_mask=MASKS["flags"], dropout_p=TINY)
        else:
            y = functional.scaled_dot_product_attention(*tensors, attn_mask=MASKS["flags"])
        (y**2).sum().backward()
        grads.append([tensor.grad for tensor in tensors])
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("groups", [1, 3])
def test_causal_attention_and_shared_keys(groups: int) -> None:
    q, k, v = qkv(7)
    k, v = k[:, : 3 // groups], v[:, : 3 // groups]
    expected = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=groups > 1)
    with fast_dropout():
        found = functional.scaled_dot_product_attention(q, k, v, dropout_p=TINY, is_causal=True, enable_gqa=groups > 1)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_a_row_without_any_key_stays_finite() -> None:
    q, k, v = qkv()
    with fast_dropout():
        found = functional.scaled_dot_product_attention(q, k, v, torch.zeros(5, 7, dtype=torch.bool), TINY)
    assert bool(found.isfinite().all())


def test_attention_drops_weights_with_the_mean_unchanged() -> None:
    torch.manual_seed(0)
    q, k = torch.zeros(1, 1, 2000, 8), torch.zeros(1, 1, 50, 8)
    v = torch.ones(1, 1, 50, 1)
    with fast_dropout():
        y = functional.scaled_dot_product_attention(q, k, v, dropout_p=0.1)
    # each output is the mean of 50 weights, each 0 or 1 / 0.9
    spread = (0.1 / 0.9 / 50) ** 0.5
    assert abs(float(y.mean()) - 1) < 5 * spread / 2000**0.5
    assert float(y.std()) == pytest.approx(spread, rel=0.1)


@pytest.fixture
def onednn() -> Iterator[None]:
    """Matrix products by oneDNN, wherever they are not the choice of `use_fast_matmul`."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("length", [SHORT_LENGTH, SHORT_LENGTH + 1])
@pytest.mark.parametrize("masked", [False, True])
def test_plain_attention_is_attention(length: int, masked: bool, onednn: None) -> None:
    query, key, value = torch.randn(3, 2, 2, length, 8, generator=torch.Generator().manual_seed(0)).unbind(0)
    mask = torch.arange(length) < torch.tensor([5, length])[:, None] if masked else None
    mask = mask if mask is None else mask[:, None, None]
    expected = functional.scaled_dot_product_attention(query, key, value, mask)
    with plain_attention():
        found = functional.scaled_dot_product_attention(query, key, value, mask)
    assert torch.allclose(found, expected, rtol=0, atol=1e-6)
    assert torch.equal(found, expected) or length == SHORT_LENGTH


@pytest.mark.parametrize(
    ("seconds", "error", "expected"), [(0.7, 0, "medium"), (0.9, 0, "highest"), (0.7, 1e-3, "highest")]
)
def test_the_faster_exact_matrix_products_are_chosen(
    monkeypatch: pytest.MonkeyPatch, onednn: None, seconds: float, error: float, expected: str
) -> None:
    def probe(precision: str) -> tuple[float, float]:
        torch.set_float32_matmul_precision(precision)
        return (1.0, 0.0) if precision == "highest" else (seconds, error)

    monkeypatch.setattr(hardware, "_matmul", probe)
    hardware.use_fast_matmul.__wrapped__()
    assert torch.get_float32_matmul_precision() == expected
