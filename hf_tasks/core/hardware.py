"""Precision, memory and description of the machine."""

import os
import platform
import resource
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any


@cache
def bfloat16_is_fast() -> bool:
    """Whether the hardware computes bfloat16 matrix products: compute capability 8.0, AVX512-bf16 or AMX."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_capability() >= (8, 0)
    return bool({"avx512_bf16", "amx_bf16"} & _cpu_flags())


FASTER = 1.25
"""How many times as fast oneDNN's matrix products have to be."""


@cache
def use_fast_matmul() -> None:
    """Compute float32 matrix products with oneDNN if they are faster here and keep float32 precision.

    They are twice as fast as MKL's on some AMD processors (https://github.com/pytorch/pytorch/issues/125386), equal on
    others, and use bfloat16 on a few. They make PyTorch's fused attention slow: cpu_kernels.plain_attention.
    """
    import torch

    if torch.cuda.is_available():
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    before, _ = _matmul("highest")
    after, error = _matmul("medium")
    if before < FASTER * after or error > 1e-5:
        torch.set_float32_matmul_precision("highest")
    torch.set_num_threads(threads)


def _matmul(precision: str) -> tuple[float, float]:
    """(least seconds of five products of 512 x 384 x 384, largest relative error) at PyTorch's `precision`."""
    import torch

    torch.set_float32_matmul_precision(precision)
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(rows, 384, generator=generator) for rows in (512, 384))
    exact, times = a.double() @ b.double(), list[float]()
    for _ in range(6):
        started = time.perf_counter()
        product = a @ b
        times.append(time.perf_counter() - started)
    return min(times[1:]), float((product.double() - exact).abs().max() / exact.abs().max())


def describe() -> dict[str, Any]:
    """Return the machine and the package versions for the run's environment.json."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        **numeric_environment(),
        "packages": versions(),
    }


def numeric_environment() -> dict[str, Any]:
    """Return what decides how sums are rounded: processor, accelerator, PyTorch's threads and matrix products."""
    import torch

    use_fast_matmul()
    return {
        "processor": _processor(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "matmul": torch.get_float32_matmul_precision(),
    }


@cache
def versions() -> dict[str, str]:
    """Return the versions of hf_tasks and of the packages that results depend on."""
    from importlib.metadata import version

    names = ("torch", "transformers", "peft", "datasets", "accelerate", "tokenizers", "safetensors", "numpy")
    return {name: version(name) for name in ("hf_tasks", *names)}


def total_memory() -> int:
    """Return the memory in bytes: of the GPU if there is one, else of the machine or its container's limit."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(0).total_memory)
    limit = Path("/sys/fs/cgroup/memory.max")
    allowed = limit.read_text().strip() if limit.is_file() else "max"
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(total, int(allowed)) if allowed.isdigit() else total


def peak_memory() -> int:
    """Return the peak memory use in bytes: of the GPU if there is one, else of this process."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _cpu_flags() -> set[str]:
    return set(_cpuinfo().get("flags", "").split())


def _processor() -> str:
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


@cache
def _cpuinfo() -> dict[str, str]:
    """Return the first processor of /proc/cpuinfo; empty on systems without this file."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    first = path.read_text(encoding="utf-8").split("\n\n")[0]
    return {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in first.splitlines())}
