"""`mbr`: combine the texts of several systems by minimum Bayes risk, and score the result against each system."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_tasks.core.errors import DataError, UserError
from hf_tasks.core.files import atomic_output
from hf_tasks.core.progress import progress
from hf_tasks.core.section import did_you_mean
from hf_tasks.data.readers.compression import lines, opened
from hf_tasks.data.readers.json_rows import read_jsonl
from hf_tasks.decoding.mbr import Choice, mbr, mbr_aggregate, mbr_pruned, oracle
from hf_tasks.decoding.utilities import UTILITIES, Utility

Segments = list[list[str]]
"""The texts (candidates or references) of each segment."""
Choose = Callable[[list[str], list[str] | None], Choice]


@dataclass(frozen=True)
class CombinedTexts:
    """The chosen text of each segment, the choices, and the duration in seconds."""

    texts: list[str]
    choices: list[Choice]
    seconds: float

    def summary(self) -> str:
        n, candidates = len(self.texts), sorted({len(choice.expected) for choice in self.choices})
        utility = np.mean([choice.expected[choice.index] for choice in self.choices])
        of_each = "-".join(str(number) for number in dict.fromkeys((candidates[0], candidates[-1])))
        return (
            f"{n} segments x {of_each} candidates; mean expected utility {utility:.2f}\n"
            f"{self.seconds:.2f} s, {n / self.seconds:.0f} segments per second"
        )


def report(paths: Sequence[Path], segments: Segments, references: Segments, chosen: list[str], utility: str) -> str:
    """Return the table of `compare` for the systems of the files, the chosen texts and the oracle choice."""
    pairs = zip(segments, references, strict=True)
    best = [candidates[oracle(candidates, right, utility_of(utility)).index] for candidates, right in pairs]
    return compare(single_systems(paths, segments), best, chosen, references)


def read(paths: Sequence[Path], n_segments: int | None = None) -> Segments:
    """Read the texts of each segment from files with one segment per line, or one .jsonl file with "candidates".

    Raises DataError if the files differ in their number of segments, or from `n_segments`.
    """
    if [path.suffix for path in paths] == [".jsonl"]:
        segments = _read_rows(str(paths[0]))
        _agree({str(paths[0]): len(segments)}, n_segments)
        return segments
    systems = {str(path): _read_lines(str(path)) for path in paths}
    _agree({name: len(texts) for name, texts in systems.items()}, n_segments)
    return [list(texts) for texts in zip(*(systems[str(path)] for path in paths), strict=True)]


def chooser(utility: str, *, prune: bool, aggregate: bool) -> Choose:
    """Return the choosing function for the options of the command line. Raises UserError."""
    of_pairs = utility_of(utility)
    if aggregate and (prune or utility != "chrf"):
        raise UserError("--aggregate: works only with --utility chrf and without --prune; remove one of them")
    if aggregate:
        return mbr_aggregate
    decoder = mbr_pruned if prune else mbr
    return lambda candidates, references: decoder(candidates, of_pairs, references)


def utility_of(name: str) -> Utility:
    """Return the utility with a name, or `embedding:MODEL`. Raises UserError."""
    if name.startswith("embedding:"):
        from hf_tasks.decoding.bertscore import embedding

        return embedding(name.partition(":")[2])
    if name not in UTILITIES:
        known = ", ".join([*UTILITIES, "embedding:MODEL"])
        raise UserError(f'--utility: there is no utility "{name}"{did_you_mean(name, UTILITIES)} (one of: {known})')
    return UTILITIES[name]


def combine(segments: Segments, choose: Choose, pseudo_references: Segments | None = None) -> CombinedTexts:
    """Choose a candidate for each segment, with a progress bar."""
    started = time.perf_counter()
    references: Sequence[list[str] | None] = pseudo_references or [None] * len(segments)
    choices = []
    with progress(len(segments), "Choosing", "segments") as bar:
        for candidates, of_segment in zip(segments, references, strict=True):
            choices.append(choose(candidates, of_segment))
            bar.update(1)
    texts = [candidates[choice.index] for candidates, choice in zip(segments, choices, strict=True)]
    return CombinedTexts(texts, choices, time.perf_counter() - started)


def compare(systems: dict[str, list[str]], best_possible: list[str], chosen: list[str], references: Segments) -> str:
    """Return a table of BLEU and chrF of the combined texts, the oracle choice and each system, the best one marked."""
    from hf_tasks.metrics.generation import bleu, chrf

    named = {"combined (MBR)": chosen, "oracle": best_possible} | systems
    scores = {name: bleu(texts, references) | chrf(texts, references) for name, texts in named.items()}
    best = {metric: max(systems, key=lambda name: scores[name][metric]) for metric in ("bleu", "chrf")}
    width = max(map(len, scores))
    table = [f"{'':<{width}}   BLEU    chrF    (* the best single system)"]
    for name, values in sorted(scores.items(), key=lambda item: -item[1]["bleu"]):
        marked = (f"{values[metric]:>6.2f}{'*' if best[metric] == name else ' '}" for metric in best)
        table.append(f"{name:<{width}} {' '.join(marked)}".rstrip())
    any_row = scores["oracle"]
    return "\n".join([*table, f"BLEU {any_row['bleu_signature']}", f"chrF {any_row['chrf_signature']}"])


def single_systems(paths: Sequence[Path], segments: Segments) -> dict[str, list[str]]:
    """Return {file name: texts}; for a .jsonl file, the first candidates."""
    if len(paths) == 1:
        return {"first candidate": [candidates[0] for candidates in segments]}
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    return {name: list(texts) for name, texts in zip(names, zip(*segments, strict=True), strict=True)}


def write(result: CombinedTexts, path: Path | None) -> None:
    """Write one text per line to a file or standard output; a .jsonl file also has indices and expected utilities.

    Raises DataError.
    """
    if path is not None and path.suffix == ".jsonl":
        rows = zip(result.texts, result.choices, strict=True)
        content = [json.dumps(_row(text, choice), ensure_ascii=False) for text, choice in rows]
    else:
        content = result.texts
        broken = [number for number, text in enumerate(content, 1) if "\n" in text]
        if broken:
            raise DataError(f"segment {broken[0]}: the chosen text has a line break; write to a .jsonl file with -o")
    text = "".join(f"{line}\n" for line in content)
    if path is None:
        sys.stdout.write(text)
        return
    with atomic_output(path) as file:
        file.write(text)


def check_output(path: Path | None) -> None:
    """Raise DataError if the output folder does not exist."""
    if path is not None and not path.parent.is_dir():
        raise DataError(f"{path.parent}: there is no such folder; create it first")


def _row(text: str, choice: Choice) -> dict[str, Any]:
    return {"prediction": text, "candidate": choice.index, "expected_utility": float(choice.expected[choice.index])}


def _read_lines(name: str) -> list[str]:
    with opened(name) as file:
        return [line.removesuffix("\n").removesuffix("\r") for line in lines(file, name)]


def _read_rows(name: str) -> Segments:
    with opened(name) as file:
        rows = list(read_jsonl(lines(file, name), name))
    texts = [_candidates(row) for _, row in rows]
    problems = [
        f"{name}:{number}: {found}" for (number, _), found in zip(rows, texts, strict=True) if isinstance(found, str)
    ]
    if problems:
        raise DataError(*problems)
    return [found for found in texts if not isinstance(found, str)]


def _candidates(row: Any) -> list[str] | str:
    """Return the candidates of a row, or an error message."""
    match row:
        case {"candidates": [*texts]} if texts and all(isinstance(text, str) for text in texts):
            return texts
        case {"candidates": _}:
            return '"candidates" is not a list of strings; write one or more'
        case {}:
            return 'there is no key "candidates"; write {"candidates": ["...", "..."]}'
        case _:
            return str(row)


def _agree(counts: dict[str, int], n_segments: int | None) -> None:
    """Raise DataError if the files differ in their number of segments from the first one, or from `n_segments`."""
    first, n_first = next(iter(counts.items()))
    expected, whose = (n_first, f"{first} has") if n_segments is None else (n_segments, "the candidates have")
    different = [
        f"{name}: {n} segments, but {whose} {expected}; each file needs one line for each segment"
        for name, n in counts.items()
        if n != expected
    ]
    if different:
        raise DataError(*different)
