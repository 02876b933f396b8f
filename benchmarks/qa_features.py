"""Windows of questions and contexts: `QuestionAnswering.encode` against the way of transformers' run_qa.py.

    python benchmarks/qa_features.py SQUAD.json [--tokenizer FOLDER] [--examples 2000] [--repeats 5]

Both sides go through `Dataset.map` and end with the same windows in Arrow; the windows are compared, value by value.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

from datasets import Dataset, disable_progress_bars
from transformers import AutoTokenizer

from hf_tasks.data import read_file
from hf_tasks.runs.evaluation import encode
from hf_tasks.tasks import QuestionAnswering

MAX_LENGTH, DOC_STRIDE = 384, 128


def run_qa_features(examples: Dataset, tokenizer: Any) -> Dataset:
    """`prepare_validation_features` as run_qa.py maps it, with dynamic padding."""

    def prepare(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        encoded = tokenizer(
            [question.lstrip() for question in batch["question"]], batch["context"], truncation="only_second",
            max_length=MAX_LENGTH, stride=DOC_STRIDE, return_overflowing_tokens=True, return_offsets_mapping=True,
        )  # fmt: skip
        sample = encoded.pop("overflow_to_sample_mapping")
        encoded["example_id"] = [batch["id"][i] for i in sample]
        for i in range(len(sample)):
            sequences = encoded.sequence_ids(i)
            offsets = encoded["offset_mapping"][i]
            encoded["offset_mapping"][i] = [o if s == 1 else None for o, s in zip(offsets, sequences, strict=True)]
        return encoded

    return examples.map(prepare, batched=True, remove_columns=examples.column_names, load_from_cache_file=False)


def best_of(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """(least seconds, result)"""
    seconds, result = [], None
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        seconds.append(time.process_time() - start)
    return min(seconds), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    task = QuestionAnswering(name="question-answering", max_length=MAX_LENGTH, doc_stride=DOC_STRIDE)
    examples = read_file(args.file, task, labelled=False).examples
    examples = examples.select(range(min(args.examples, len(examples))))

    ours = theirs = float("inf")
    for _ in range(args.repeats):  # in turns, so that a busy moment of the machine hits both
        seconds, split = best_of(lambda: encode(examples, task, tokenizer), 1)
        ours = min(ours, seconds)
        seconds, expected = best_of(lambda: run_qa_features(examples, tokenizer), 1)
        theirs = min(theirs, seconds)
    names = [name for name in tokenizer.model_input_names if name in expected.column_names]
    assert all(split.features[name][:] == expected[name][:] for name in names)
    print(f"{len(examples)} questions, {len(set(examples['context'][:]))} contexts, {len(expected)} windows")
    print(f"run_qa.py {theirs:.3f} s, hf_tasks {ours:.3f} s: {theirs / ours:.1f} x, windows identical")


if __name__ == "__main__":
    main()
