"""What pruning and reference aggregation choose, beside the exact choice, on a model's own candidates.

    hf-tasks predict RUN SOURCES -o candidates.jsonl --set decoding.name=mbr --set decoding.num_samples=64 \\
        --set decoding.keep_candidates=true
    python benchmarks/mbr_approximations.py candidates.jsonl

By chrF, each source's candidates being their own pseudo-references. Prints how often the choice is the exact one (a
text that is drawn twice is one choice), the expected utility that is lost on average, the utilities that are computed,
and the processor time of all choices.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hf_tasks.decoding.mbr import Choice, mbr, mbr_aggregate, mbr_pruned
from hf_tasks.decoding.ngrams import Floats
from hf_tasks.decoding.utilities import Texts, chrf

asked = 0


def counted(hypotheses: Texts, references: Texts) -> Floats:
    global asked
    asked += len(hypotheses) * len(references)
    return chrf(hypotheses, references)


def main() -> None:
    global asked
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candidates", type=Path)
    rows = parser.parse_args().candidates.read_text(encoding="utf-8").splitlines()
    segments: list[list[str]] = [json.loads(row)["candidates"] for row in rows]
    exact = [mbr(candidates, chrf) for candidates in segments]
    ways: dict[str, Callable[[list[str]], Choice]] = {
        "exact": lambda candidates: mbr(candidates, counted),
        "pruned": lambda candidates: mbr_pruned(candidates, counted),
        "aggregate": mbr_aggregate,
    }
    print(f"{len(segments)} sources x {len(segments[0])} candidates")
    print(f"{'':<12}{'same choice':>12}{'utility lost':>14}{'utilities':>12}{'seconds':>10}")
    for name, way in ways.items():
        asked, started = 0, time.process_time()
        choices = [way(candidates) for candidates in segments]
        seconds = time.process_time() - started
        triples = list(zip(segments, exact, choices, strict=True))
        same = np.mean([texts[best.index] == texts[choice.index] for texts, best, choice in triples])
        lost = np.mean([best.expected[best.index] - best.expected[choice.index] for _, best, choice in triples])
        print(f"{name:<12}{same:>12.1%}{lost:>14.4f}{asked:>12,}{seconds:>10.2f}")


if __name__ == "__main__":
    main()
