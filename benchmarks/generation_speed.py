"""`generate` against a plain loop of `model.generate` over batches in the file's order.

    python benchmarks/generation_speed.py RUN SOURCES [--sentences 1000] [--batch-size 64] [--num-samples 64]

RUN is a folder that transformers loads as an encoder-decoder; SOURCES has one text a line. Both follow as many
sequences at once (batch-size: sentences times beams, or times samples), on one thread, in float32 as PyTorch computes
it by default, in seconds of processor time, the best of some repeats in turn. The texts of greedy and beam search are
asserted to be the same; samples (num_return_sequences in the plain loop) are drawn by other random numbers, so their
mean length in characters is printed.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from hf_tasks.decoding import MBR, Beam, Decoding, Greedy
from hf_tasks.decoding.generate import generate

Texts = list[str]
MAX_NEW_TOKENS, REPEATS, SENTENCES_SAMPLED = 96, 3, 32


class Samples(MBR):
    """All samples, where MBR would choose one of them."""

    def select(self, candidates: list[str], log_probabilities: Any) -> tuple[int, dict[str, Any]]:
        return 0, {"candidates": candidates}


def plain(model: Any, tokenizer: Any, sources: Texts, decoding: Decoding, batch_size: int) -> Texts:
    """What one writes with transformers alone: batches in the file's order, padded, `model.generate`."""
    config, texts, size = decoding.generation_config(), [], max(1, batch_size // decoding.sequences)
    config.pad_token_id = tokenizer.pad_token_id
    for start in range(0, len(sources), size):
        batch = tokenizer(sources[start : start + size], padding=True, truncation=True, return_tensors="pt")
        sequences = model.generate(**batch, generation_config=config)
        texts += tokenizer.batch_decode(sequences, skip_special_tokens=True)
    return texts


def ours(model: Any, tokenizer: Any, sources: Texts, decoding: Decoding, batch_size: int) -> Texts:
    found = generate(model, tokenizer, sources, decoding, batch_size)
    return [text for one in found for text in one.choice.get("candidates", [one.text])]


def seconds(function: Callable[..., Texts], *arguments: Any) -> tuple[float, Texts]:
    started = time.process_time()
    texts = function(*arguments)
    return time.process_time() - started, texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("sources", type=Path)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--num-samples", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    disable_progress_bar()
    torch.set_num_threads(1)
    model = AutoModelForSeq2SeqLM.from_pretrained(options.run).eval()
    tokenizer = AutoTokenizer.from_pretrained(options.run)
    sources = options.sources.read_text(encoding="utf-8").splitlines()[: options.sentences]
    common = {"max_new_tokens": MAX_NEW_TOKENS}
    cases: list[tuple[Decoding, Texts]] = [
        (Greedy(name="greedy", **common), sources),
        (Beam(name="beam", num_beams=5, **common), sources),
        (Samples(name="mbr", num_samples=options.num_samples, **common), sources[:SENTENCES_SAMPLED]),
    ]
    print(f"{'':<8}{'plain':>8}{'hf_tasks':>10}{'ratio':>8}   mean lengths")
    for decoding, texts in cases:
        arguments = model, tokenizer, texts, decoding, options.batch_size
        runs = [(seconds(plain, *arguments), seconds(ours, *arguments)) for _ in range(options.repeats)]
        (theirs, expected), (mine, found) = (min(times, key=lambda pair: pair[0]) for times in zip(*runs, strict=True))
        if decoding.name != "mbr":
            assert found == expected, f"{sum(a != b for a, b in zip(found, expected, strict=True))} texts differ"
        lengths = ", ".join(f"{sum(map(len, written)) / len(written):.1f}" for written in (expected, found))
        print(f"{decoding.name:<8}{theirs:8.2f}{mine:10.2f}{theirs / mine:7.2f}x   {lengths}", flush=True)


if __name__ == "__main__":
    main()
