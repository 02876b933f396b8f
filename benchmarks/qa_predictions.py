"""From logits to answers: `QuestionAnswering.reduce` and `decode` against the double loop of transformers' run_qa.py.

    python benchmarks/qa_predictions.py SQUAD.json --tokenizer FOLDER [--examples 2000] [--repeats 5]

The logits are made up by a seed: noise, or noise with a peak at the right answer; with and without "no answer" as a
possible prediction. Both sides give every answer and its n-best list, which are compared. Four measurements:

scores  what an evaluation costs: hf_tasks the answers (`scores_only`), run_qa.py as it is, with its two JSON files
loop    answers and n-best lists; the double loop reads its features from plain lists
run     the same; the double loop reads its features from a Dataset, as run_qa.py does
files   the same, and both sides write answers and n-best lists as JSON, as run_qa.py does at every evaluation
"""

import argparse
import json
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars
from transformers import AutoTokenizer

from hf_tasks.data import read_file
from hf_tasks.runs.evaluation import encode
from hf_tasks.tasks import EncodedSplit, QuestionAnswering

BATCH_SIZE = 64
REDUCED = ["length", "context_start", "context_end", "offsets"]


def made_up_logits(split: EncodedSplit, peaked: bool, seed: int) -> np.ndarray:
    """(2, N, L) start and end logits; -100 on padding, as Trainer.predict pads."""
    lengths = np.array(split.features["length"][:])
    logits = np.random.default_rng(seed).normal(size=(2, len(lengths), lengths.max())).astype(np.float32)
    if peaked:
        for i, labels in enumerate(split.features["labels"][:]):
            logits[0, i, labels[0]] += 6
            logits[1, i, labels[1]] += 6
    logits[:, np.arange(lengths.max()) >= lengths[:, None]] = -100
    return logits


def double_loop(
    task: QuestionAnswering, split: EncodedSplit, features: Sequence[dict[str, Any]] | Dataset, logits: np.ndarray
) -> list[dict[str, Any]]:
    """`postprocess_qa_predictions` of transformers' utils_qa.py (v5.0), without its files and its progress bar."""
    windows = defaultdict(list)
    for i, feature in enumerate(features):
        windows[feature["example"]].append(i)
    answers = []
    for row, context in enumerate(split.examples["context"][:]):
        found, null = [], None
        for i in windows[row]:
            start_logits, end_logits, offsets = logits[0][i], logits[1][i], features[i]["offset_mapping"]
            assert features[i].get("token_is_max_context") is None
            if null is None or null["score"] > start_logits[0] + end_logits[0]:
                null = {"offsets": (0, 0), "score": start_logits[0] + end_logits[0]}
            start_indexes = np.argsort(start_logits)[-1 : -task.n_best_size - 1 : -1].tolist()
            end_indexes = np.argsort(end_logits)[-1 : -task.n_best_size - 1 : -1].tolist()
            for start_index in start_indexes:
                for end_index in end_indexes:
                    if (
                        start_index >= len(offsets)
                        or end_index >= len(offsets)
                        or offsets[start_index] is None
                        or offsets[end_index] is None
                    ):
                        continue
                    if end_index < start_index or end_index - start_index + 1 > task.max_answer_length:
                        continue
                    found.append(
                        {
                            "offsets": (offsets[start_index][0], offsets[end_index][1]),
                            "score": start_logits[start_index] + end_logits[end_index],
                        }
                    )
        if task.version_2_with_negative:
            found.append(null)
        nbest = sorted(found, key=lambda entry: entry["score"], reverse=True)[: task.n_best_size]
        if task.version_2_with_negative and not any(entry["offsets"] == (0, 0) for entry in nbest):
            nbest.append(null)
        for entry in nbest:
            entry["text"] = context[entry["offsets"][0] : entry["offsets"][1]]
        scores = np.array([entry["score"] for entry in nbest])
        probabilities = np.exp(scores - np.max(scores))
        probabilities /= probabilities.sum()
        for entry, probability in zip(nbest, probabilities, strict=True):
            entry["probability"] = probability
        best = next(entry for entry in nbest if entry["text"])
        refused = task.version_2_with_negative and null["score"] - best["score"] > task.null_score_diff_threshold
        answers.append({"answer": "" if refused else best["text"], "nbest": nbest})
    return answers


def fast(
    task: QuestionAnswering, split: EncodedSplit, logits: torch.Tensor, *, scores_only: bool = False
) -> list[dict[str, Any]]:
    """As `evaluation.predict` does it: batch by batch, padded to the longest window of the batch."""
    columns, postprocessor = split.features.select_columns(REDUCED), task.postprocessor(scores_only=scores_only)
    items = []
    for begin in range(0, len(columns), BATCH_SIZE):
        rows = columns[begin : begin + BATCH_SIZE]
        width = max(rows["length"])
        start, end = logits[:, begin : begin + BATCH_SIZE, :width]
        items += postprocessor.reduce({"start_logits": start, "end_logits": end}, rows)
    return postprocessor.decode(items, split)


def as_run_qa(split: EncodedSplit) -> list[dict[str, Any]]:
    """The columns that the double loop reads; plain lists, which it reads faster than rows of a Dataset."""
    rows = []
    for feature in split.features:
        offsets = np.frombuffer(feature["offsets"], np.int32).reshape(-1, 2).tolist()
        around = feature["length"] - feature["context_end"]
        rows.append({
            "example": feature["example"],
            "offset_mapping": [None] * feature["context_start"] + offsets + [None] * around,
        })  # fmt: skip
    return rows


def compare(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["answer"] == other["answer"], (mine, other)
        assert [(e["start"], e["end"]) for e in mine["nbest"]] == [e["offsets"] for e in other["nbest"]], (mine, other)
        assert np.allclose([e["probability"] for e in mine["nbest"]], [e["probability"] for e in other["nbest"]])


def dumped_in_full(answers: list[dict[str, Any]]) -> int:
    """Characters of run_qa.py's predictions and nbest_predictions files, in its form (indented)."""
    nbest = [
        [{**e, "score": float(e["score"]), "probability": float(e["probability"])} for e in a["nbest"]] for a in answers
    ]
    return len(json.dumps([a["answer"] for a in answers], indent=4)) + len(json.dumps(nbest, indent=4))


def dumped_in_lines(answers: list[dict[str, Any]]) -> int:
    """Characters of a run's predictions, one line a question."""
    return sum(len(json.dumps(answer, ensure_ascii=False)) for answer in answers)


def in_turns(repeats: int, *functions: Callable[[], Any]) -> list[float]:
    """Least processor seconds of each; in turns, so that a busy moment of the machine hits all."""
    least = [float("inf")] * len(functions)
    for _ in range(repeats):
        for i, function in enumerate(functions):
            start = time.process_time()
            function()
            least[i] = min(least[i], time.process_time() - start)
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    disable_progress_bars()
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    task = QuestionAnswering(name="question-answering", null_score_diff_threshold=0.0)
    examples = read_file(args.file, task).examples
    examples = examples.select(range(min(args.examples, len(examples))))
    split = encode(examples, task, tokenizer)
    lists = as_run_qa(split)
    dataset = Dataset.from_list([row | ids for row, ids in zip(lists, split.features.select_columns(
        ["input_ids", "attention_mask"]), strict=True)])  # fmt: skip
    print(f"{len(examples)} questions, {len(lists)} windows")
    for peaked in (False, True):
        for negative in (False, True):
            task = task.model_copy(update={"version_2_with_negative": negative})
            print(f"{'peaked' if peaked else 'noise'}, {'with' if negative else 'without'} questions without answer:")
            measure(task, split, lists, dataset, made_up_logits(split, peaked, seed=1), args.repeats)


def measure(
    task: QuestionAnswering,
    split: EncodedSplit,
    lists: list[dict[str, Any]],
    dataset: Dataset,
    logits: np.ndarray,
    repeats: int,
) -> None:
    on_model = torch.from_numpy(logits)
    compare(fast(task, split, on_model), double_loop(task, split, lists, logits))
    full = [row["answer"] for row in fast(task, split, on_model)]
    assert [row["answer"] for row in fast(task, split, on_model, scores_only=True)] == full
    scores, ours, files, loop, run, run_files = in_turns(
        repeats,
        lambda: fast(task, split, on_model, scores_only=True),
        lambda: fast(task, split, on_model),
        lambda: dumped_in_lines(fast(task, split, on_model)),
        lambda: double_loop(task, split, lists, logits),
        lambda: double_loop(task, split, dataset, logits),
        lambda: dumped_in_full(double_loop(task, split, dataset, logits)),
    )
    pairs = (("scores", run_files, scores), ("loop", loop, ours), ("run", run, ours), ("files", run_files, files))
    for name, slow, quick in pairs:
        print(f"  {name:6} double loop {slow:.3f} s, hf_tasks {quick:.3f} s: {slow / quick:.1f} x")
    tracemalloc.start()
    fast(task, split, on_model)
    print(f"  answers and n-best identical; hf_tasks held {tracemalloc.get_traced_memory()[1] / 2**20:.0f} MiB at most")
    tracemalloc.stop()


if __name__ == "__main__":
    main()
