"""Faster dropout and attention on CPUs, with the same mathematics.

PyTorch draws dropout masks on a CPU one number at a time, and its fused attention is slow for short inputs. Inside
`fast_dropout()` each 64-bit random number gives the mask of four elements, and attention with dropout is computed by
matrix products. Masks come from PyTorch's own generator, so seeds and checkpoints work as usual.
"""

import ctypes
import ctypes.util
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

SHORT_LENGTH = 128
"""Sequence length up to which PyTorch's fused attention is slower on a CPU than matrix products."""


class _Replacement(TorchFunctionMode):
    """Context manager that replaces PyTorch functions by those that `choose` returns."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        kinds: Iterable[type],
        args: Any = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        return self.choose(function, args, kwargs)(*args, **kwargs)

    def choose(self, function: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> Callable[..., Any]:
        raise NotImplementedError


class fast_dropout(_Replacement):  # noqa: N801  (used as a context manager)
    """Context manager in which dropout on CPU tensors uses 16 random bits per element (p is exact to 1 / 65,536)."""

    def choose(self, function: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> Callable[..., Any]:
        if function is functional.dropout and args and args[0].device.type == "cpu":
            return _dropout
        is_attention = function is functional.scaled_dot_product_attention and kwargs.get("dropout_p")
        return _attention if is_attention and args[0].device.type == "cpu" else function


class plain_attention(_Replacement):  # noqa: N801  (used as a context manager)
    """Context manager for inference: float32 attention of short sequences on a CPU by matrix products, where they are
    oneDNN's (`hardware.use_fast_matmul`), with which PyTorch's fused attention is slow."""

    def choose(self, function: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> Callable[..., Any]:
        if function is not functional.scaled_dot_product_attention:
            return function
        query, fast = args[0], torch.get_float32_matmul_precision() == "medium"
        plain = fast and query.shape[-2] <= SHORT_LENGTH and query.device.type == "cpu" and query.dtype == torch.float32
        return _attention if plain else function


def _dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Compute torch.nn.functional.dropout; `inplace` is ignored."""
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0
    words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    keep = words.view(torch.int16)[: x.numel()].view(x.shape) >= round(p * 65536) - 32768
    return x * keep.to(x.dtype).mul_(1 / (1 - p))


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Compute scaled dot-product attention, (B, H, L, D) x (B, H, S, D) -> (B, H, L, D), by matrix products."""
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    if is_causal:
        attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
    scores = query @ key.transpose(-2, -1) * (scale or 1 / math.sqrt(query.shape[-1]))  # (B, H, L, S)
    if attn_mask is not None:
        blocked = attn_mask.dtype == torch.bool
        lowest = torch.finfo(scores.dtype).min  # not -inf: a row without any key stays finite, as in PyTorch's
        scores = scores.masked_fill(~attn_mask, lowest) if blocked else scores + attn_mask
    return _dropout(functional.softmax(scores, dim=-1), dropout_p).to(value.dtype) @ value


@cache
def keep_large_blocks() -> None:
    """Make the C library reuse freed memory blocks of any size; does nothing outside Linux with glibc.

    By default each dense gradient of an embedding table is returned to the system and mapped again at every step.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(ctypes.util.find_library("c")), "mallopt", None)
    if mallopt is not None:
        m_trim_threshold, m_mmap_threshold = -1, -3
        mallopt(m_mmap_threshold, 1 << 30)
        mallopt(m_trim_threshold, (1 << 31) - 1)
