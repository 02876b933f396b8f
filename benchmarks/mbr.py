"""Utilities of minimum Bayes risk on all pairs, against loops over the packages that define them, and fastchrf.

    python benchmarks/mbr.py DATA/hyp [--sizes 16 64 256]

DATA/hyp holds a file of one text a line for each system. 256 candidates of one source are made from the systems' texts
of a line with 25 to 29 words: the beginning of one and the end of another, with 8 % of the words exchanged. Each of
them is compared with the first 16, 64 or all of the candidates. All on one thread, in seconds of processor time, with
texts that were not seen before (the words may have been). The results are asserted to be equal to 1e-9.
fastchrf (`pip install fastchrf`) is left out where it is not installed; its `aggregate` gives another number, which is
compared with ours. Prints the times and the ratios.
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[threads] = "1"

import numpy as np  # noqa: E402
import sacrebleu  # noqa: E402
from rouge_score.rouge_scorer import RougeScorer  # noqa: E402
from sacrebleu.metrics import BLEU, CHRF  # noqa: E402

from hf_tasks.decoding.utilities import UTILITIES, aggregate_chrf  # noqa: E402

CANDIDATES, REPEATS, NOISE = 256, 5, 0.08
Texts = list[str]


def of_pairs(score: Callable[[str, str], float]) -> Callable[[Texts, Texts], Any]:
    """The score of one pair at a time."""
    return lambda hypotheses, references: [[score(h, r) for r in references] for h in hypotheses]


def aggregate(hypotheses: Texts, references: Texts) -> Any:
    return aggregate_chrf(hypotheses, references, np.full(len(references), 1 / len(references)))[:, 0]


def peers() -> Iterator[tuple[str, str, Callable[[Texts, Texts], Any], bool]]:
    """(our utility, the peer's name, the peer, whether it is to be equal)"""
    metric, character, rouge = BLEU(effective_order=True), CHRF(), RougeScorer(["rougeL"])
    unigram = RougeScorer(["rouge1"])
    yield "bleu", "sacrebleu.sentence_bleu", of_pairs(lambda h, r: sacrebleu.sentence_bleu(h, [r]).score), True
    yield "bleu", "BLEU.sentence_score", of_pairs(lambda h, r: metric.sentence_score(h, [r]).score), True
    yield "chrf", "CHRF.sentence_score", of_pairs(lambda h, r: character.sentence_score(h, [r]).score), True
    yield "rougeL", "rouge_score", of_pairs(lambda h, r: 100 * rouge.score(r, h)["rougeL"].fmeasure), True
    yield "rouge1", "rouge_score", of_pairs(lambda h, r: 100 * unigram.score(r, h)["rouge1"].fmeasure), True
    try:
        import fastchrf
    except ModuleNotFoundError:
        return
    yield "chrf", "fastchrf pairwise", lambda h, r: fastchrf.pairwise_chrf([h], [r])[0], True
    yield "chrf", "fastchrf aggregate", lambda h, r: fastchrf.aggregate_chrf([h], [r])[0], False
    yield "aggregate", "fastchrf aggregate", lambda h, r: fastchrf.aggregate_chrf([h], [r])[0], True


def seconds(function: Callable[[Texts, Texts], Any], sets: Sequence[Texts], n_references: int) -> tuple[float, Any]:
    """The median time over several sets of candidates, and the result for the last of them."""
    times, result = [], None
    for candidates in sets:
        started = time.process_time()
        result = function(candidates, candidates[:n_references])
        times.append(time.process_time() - started)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hypotheses", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 64, 256])
    options = parser.parse_args()
    systems = [path.read_text(encoding="utf-8").split("\n") for path in sorted(options.hypotheses.iterdir())]
    chance, ours = random.Random(1), UTILITIES | {"aggregate": aggregate}
    print(f"{CANDIDATES} candidates x   " + " ".join(f"{size:>25}" for size in options.sizes))
    for name, peer, function, equal in peers():
        repeats = REPEATS if peer.startswith("fastchrf") else 1
        cells = []
        for size in options.sizes:
            sets = [candidates_of(systems, chance) for _ in range(REPEATS)]
            time_ours, result = seconds(ours[name], sets, size)
            time_theirs, expected = seconds(function, sets[-repeats:], size)
            if equal:
                np.testing.assert_allclose(result, expected, rtol=0, atol=1e-9)
            cells.append(f"{time_theirs:8.4f} {time_ours:7.4f} {time_theirs / time_ours:7.1f}x")
        print(f"{name:<10}{peer:<24}" + " ".join(cells), flush=True)


if __name__ == "__main__":
    main()
