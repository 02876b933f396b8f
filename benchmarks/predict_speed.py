"""Prediction speed: hf_tasks against transformers' pipeline, with the same outputs.

    python benchmarks/predict_speed.py RUN FILE [--column text] [--rows 10000] [--threads 1]

RUN: a text classification run that `from_pretrained` loads; FILE: a csv with texts. Everything runs in one process,
in seconds of processor time. The pipeline gets one text at a time, its default, and batches of 64; our prediction is
measured with PyTorch's own matrix products and attention too.
"""

import argparse
import contextlib
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = function()
    return time.process_time() - started, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--column", default="text")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()

    import torch
    from transformers import pipeline

    import hf_tasks
    from hf_tasks.core import cpu_kernels, hardware

    torch.set_num_threads(given.threads)
    with given.file.open(encoding="utf-8", newline="") as file:
        texts = [row[given.column] for row in csv.DictReader(file)][: given.rows]
    peer = pipeline("text-classification", model=str(given.run), device="cpu")
    few = texts[: len(texts) // 10]
    torch.set_float32_matmul_precision("highest")
    one_by_one, _ = seconds(lambda: peer(few, truncation=True))
    batched, expected = seconds(lambda: peer(texts, batch_size=64, truncation=True))
    run = hf_tasks.load_run(given.run)
    run.predict(few[:64])
    torch.set_float32_matmul_precision("highest")
    default, _ = seconds(lambda: run.predict(texts))
    hardware.use_fast_matmul.cache_clear()
    hardware.use_fast_matmul()
    plain, cpu_kernels.plain_attention = cpu_kernels.plain_attention, contextlib.nullcontext  # type: ignore[misc]
    fused, _ = seconds(lambda: run.predict(texts))
    cpu_kernels.plain_attention = plain  # type: ignore[misc]
    ours, found = seconds(lambda: run.predict(texts))
    same = sum(a["label"] == b["label"] for a, b in zip(expected, found, strict=True))
    difference = max(abs(a["score"] - b["score"]) for a, b in zip(expected, found, strict=True))
    print(f"{len(texts)} rows, {given.threads} threads, matrix products: {torch.get_float32_matmul_precision()}")
    for name, time_taken in (
        ("pipeline, one text at a time", one_by_one * len(texts) / len(few)), ("pipeline, batches of 64", batched),
        ("hf_tasks, PyTorch's defaults", default), ("hf_tasks, fused attention", fused), ("hf_tasks", ours),
    ):  # fmt: skip
        print(f"{name:30} {time_taken:8.2f} s  {len(texts) / time_taken:7.0f} rows/s  {time_taken / ours:5.2f} x")
    print(f"equal labels {same} of {len(texts)}, largest difference of a score {difference:.1e}")


if __name__ == "__main__":
    main()
