"""Utilities of minimum Bayes risk on all pairs, against the packages that define them, fastchrf and mbrs; and memory.

    python benchmarks/mbr.py DATA/hyp [--sizes 16 64 256]
    python benchmarks/mbr.py candidates.jsonl

DATA/hyp holds a file of one text a line for each system. 256 candidates of one source are made from the systems' texts
of a line with 25 to 29 words: the beginning of one and the end of another, with 8 % of the words exchanged. Or
candidates of a model, as `predict` writes them with `decoding.keep_candidates`: rows with the same number of them.
Each candidate is compared with the first 16, 64 or all of them. All on one thread, in seconds of processor time (of
child processes too), with texts that were not seen before (the words may have been). The results are asserted to be
equal to 1e-9.

fastchrf and mbrs (`pip install fastchrf mbrs`) are left out where they are not installed. fastchrf's `aggregate` gives
another number than chrF, compared with ours; it takes some control characters for letters, so that they are blanks
here. mbrs decodes: its chosen candidate must be as good as ours, to float32.
Prints times (theirs, ours), ratios, and the memory that ours takes, also with words that no two candidates share.
"""

import argparse
import json
import os
import random
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[threads] = "1"

import numpy as np  # noqa: E402
import sacrebleu  # noqa: E402
from rouge_score.rouge_scorer import RougeScorer  # noqa: E402
from sacrebleu.metrics import BLEU, CHRF  # noqa: E402

from hf_tasks.decoding.mbr import mbr, mbr_aggregate  # noqa: E402
from hf_tasks.decoding.utilities import UTILITIES, aggregate_chrf  # noqa: E402

EXACT, FLOAT32 = 1e-9, 1e-3
"""Largest differences, in percent."""
CANDIDATES, REPEATS, NOISE = 256, 5, 0.08
Texts = list[str]


def of_pairs(score: Callable[[str, str], float]) -> Callable[[Texts, Texts], Any]:
    """The score of one pair at a time."""
    return lambda hypotheses, references: [[score(h, r) for r in references] for h in hypotheses]


def aggregate(hypotheses: Texts, references: Texts) -> Any:
    return aggregate_chrf(hypotheses, references, np.full(len(references), 1 / len(references)))[:, 0]


def best(utility: str) -> Callable[[Texts, Texts], Any]:
    """Our whole decoding: the expected utility of the chosen candidate, by the exact utility."""
    return lambda hypotheses, references: mbr(hypotheses, UTILITIES[utility], references).expected.max()


OURS: dict[str, Callable[[Texts, Texts], Any]] = UTILITIES | {
    "aggregate": aggregate,
    "mbr bleu": best("bleu"),
    "mbr chrf": best("chrf"),
    "mbr aggregate": lambda hypotheses, references: mbr_aggregate(hypotheses, references).expected.max(),
}


def peers() -> Iterator[tuple[str, str, Callable[[Texts, Texts], Any], float | None]]:
    """(our function, the peer's name, the peer, how far it may differ, if it computes the same)"""
    metric, character, rouge = BLEU(effective_order=True), CHRF(), RougeScorer(["rougeL"])
    unigram = RougeScorer(["rouge1"])
    yield "bleu", "sacrebleu.sentence_bleu", of_pairs(lambda h, r: sacrebleu.sentence_bleu(h, [r]).score), EXACT
    yield "bleu", "BLEU.sentence_score", of_pairs(lambda h, r: metric.sentence_score(h, [r]).score), EXACT
    yield "chrf", "CHRF.sentence_score", of_pairs(lambda h, r: character.sentence_score(h, [r]).score), EXACT
    yield "rougeL", "rouge_score", of_pairs(lambda h, r: 100 * rouge.score(r, h)["rougeL"].fmeasure), EXACT
    yield "rouge1", "rouge_score", of_pairs(lambda h, r: 100 * unigram.score(r, h)["rouge1"].fmeasure), EXACT
    try:
        import fastchrf
    except ModuleNotFoundError:
        return
    yield "chrf", "fastchrf pairwise", lambda h, r: fastchrf.pairwise_chrf([h], [r])[0], EXACT
    yield "chrf", "fastchrf aggregate", lambda h, r: fastchrf.aggregate_chrf([h], [r])[0], None
    yield "aggregate", "fastchrf aggregate", lambda h, r: fastchrf.aggregate_chrf([h], [r])[0], EXACT
    yield from mbrs_peers()


def mbrs_peers() -> Iterator[tuple[str, str, Callable[[Texts, Texts], Any], float | None]]:
    """The decoders of mbrs. Its neural metrics do not import with transformers 5, and are not asked for here."""
    for name in ("bertscore", "bleurt", "comet", "cometkiwi", "metricx", "xcomet"):
        sys.modules[f"mbrs.metrics.{name}"] = MagicMock()
    try:
        from mbrs.decoders import DecoderAggregateMBR, DecoderMBR
        from mbrs.metrics import MetricBLEU, MetricChrF
    except ModuleNotFoundError:
        return

    def score(decoder: Any, metric: Any) -> Callable[[Texts, Texts], float]:
        decode = decoder(decoder.Config(), metric).decode
        return lambda hypotheses, references: decode(hypotheses, references).score[0]

    pairwise = MetricBLEU(MetricBLEU.Config(num_workers=1)), MetricChrF(MetricChrF.Config(num_workers=1))
    rust = MetricChrF(MetricChrF.Config(fastchrf=True))
    yield "mbr bleu", "mbrs, BLEU", score(DecoderMBR, pairwise[0]), FLOAT32
    yield "mbr chrf", "mbrs, chrF", score(DecoderMBR, pairwise[1]), FLOAT32
    yield "mbr chrf", "mbrs, fastchrf", score(DecoderMBR, rust), FLOAT32
    yield "mbr chrf", "mbrs, aggregate fastchrf", score(DecoderAggregateMBR, rust), None
    yield "mbr aggregate", "mbrs, aggregate fastchrf", score(DecoderAggregateMBR, rust), FLOAT32


def processor_time() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def seconds(function: Callable[[Texts, Texts], Any], sets: Sequence[Texts], n_references: int) -> tuple[float, Any]:
    """The median time over several sets of candidates, and the result for the last of them."""
    times, result = [], None
    for candidates in sets:
        started = processor_time()
        result = function(candidates, candidates[:n_references])
        times.append(processor_time() - started)
    return float(np.median(times)), result


def candidates_of(systems: list[Texts], chance: random.Random) -> Texts:
    """256 different texts for one source, as alike as the texts of different systems are."""
    lengths = np.mean([[len(text.split()) for text in texts] for texts in systems], axis=0)
    line = chance.choice([i for i, length in enumerate(lengths) if 25 <= length <= 29])
    words = [texts[line].split() for texts in systems]
    others = [word for text in systems[0] for word in text.split()]
    made = dict[str, None]()
    while len(made) < CANDIDATES:
        first, second, cut = chance.choice(words), chance.choice(words), chance.random()
        spliced = first[: int(cut * len(first))] + second[int(cut * len(second)) :]
        made[" ".join(chance.choice(others) if chance.random() < NOISE else word for word in spliced)] = None
    return list(made)


def read(path: Path, chance: random.Random) -> Iterator[Texts]:
    """Candidates of one source after the other, none of them twice."""
    if path.suffix == ".jsonl":
        rows = [json.loads(line)["candidates"] for line in path.read_text(encoding="utf-8").splitlines()]
        chance.shuffle(rows)
        yield from (["".join(one if one.isprintable() else " " for one in text) for text in texts] for texts in rows)
        return
    systems = [file.read_text(encoding="utf-8").split("\n") for file in sorted(path.iterdir())]
    while True:
        yield candidates_of(systems, chance)


def peak(function: Callable[[Texts, Texts], Any], hypotheses: Texts, references: Texts) -> float:
    """MiB that are held at most while the function runs."""
    function(hypotheses, references)
    tracemalloc.start()
    function(hypotheses, references)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 2**20


def unshared(texts: Texts) -> Texts:
    """The same number of words and characters, but every word is another: the largest vocabulary there can be."""
    return [
        " ".join(f"{i}x{j}".rjust(len(word), "y") for j, word in enumerate(text.split()))
        for i, text in enumerate(texts)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candidates", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 64, 256])
    options = parser.parse_args()
    sets = read(options.candidates, random.Random(1))
    print(f"{'':<16}{'against':<26}" + " ".join(f"{size:>25}" for size in options.sizes))
    for name, peer, function, tolerance in peers():
        repeats = REPEATS if "fastchrf" in peer else 1
        cells = []
        for size in options.sizes:
            chosen = [next(sets) for _ in range(REPEATS)]
            time_ours, result = seconds(OURS[name], chosen, size)
            time_theirs, expected = seconds(function, chosen[-repeats:], size)
            if tolerance is not None:
                np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance)
            cells.append(f"{time_theirs:8.4f} {time_ours:7.4f} {time_theirs / time_ours:7.1f}x")
        print(f"{name:<16}{peer:<26}" + " ".join(cells), flush=True)
    texts = next(sets)
    print(f"\n{'MiB':<16}{'words of candidates':<26}" + " ".join(f"{size:>25}" for size in options.sizes))
    for name in ("bleu", "chrf", "rougeL"):
        for kind, these in (("as they are", texts), ("none shared", unshared(texts))):
            most = (peak(UTILITIES[name], these, these[:size]) for size in options.sizes)
            print(f"{name:<16}{kind:<26}" + " ".join(f"{value:25.1f}" for value in most), flush=True)


if __name__ == "__main__":
    main()
