"""What a recipe for some data should say of lengths, model, training and metrics, and why.

Rates, batches and epochs are those of Devlin et al. 2019, appendix A.3 (https://aclanthology.org/N19-1423), with more
epochs where rows are few (Mosbach et al. 2021, https://arxiv.org/abs/2006.04884); for T5, the rate of its documentation
(https://huggingface.co/docs/transformers/model_doc/t5).
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_tasks.proposal import languages
from hf_tasks.proposal.finding import Finding
from hf_tasks.proposal.languages import NAMES, Language
from hf_tasks.tasks import GenerativeTask, Task
from hf_tasks.tasks.examples import Row

Line = tuple[str, Any, str]
"""A key of a section, its value, and why."""

FACTORS: dict[Language, float] = {"English": 1.3, "Chinese": 1.0, "other": 1.8}
"""Subwords in a word, a punctuation mark or a Chinese character, as the proposed models cut them; with a margin."""
LONGEST = 512
SHORTEST_WINDOW = 192
"""Of question answering, whose windows overlap by 128."""
SCHEDULES = ((1_000, 10, 16), (5_000, 5, 16), (50_000, 3, 32), (math.inf, 2, 32))
"""(training rows below, epochs, batch size)."""
SKEWED = 3
"""The most frequent label has so many times the rows of the rarest: accuracy says little of the rare ones."""
FEW = 2_000
MANY = 10_000
"""Pairs from which a model without a checkpoint is worth a try."""
T5_LANGUAGES = ("de", "fr", "ro")
"""Into which T5 was pretrained to translate English (Raffel et al. 2020, https://arxiv.org/abs/1910.10683)."""


@dataclass(frozen=True)
class Measured:
    """What was measured in the examples of a sample."""

    language: Language
    words: int
    """99 % of the inputs have at most so many."""
    target_words: int
    """99 % of the target texts."""
    mean_words: float
    labels: Counter[str]

    @property
    def skew(self) -> float:
        counts = self.labels.values()
        return max(counts) / min(counts)


def measure(examples: Sequence[Row]) -> Measured:
    inputs = [_input(example) for example in examples]
    lengths = [sum(map(languages.words, texts)) for texts in inputs]
    targets = [languages.words(text) for example in examples for text in example.get("target", ())]
    return Measured(
        languages.guess(text for texts in inputs[:: max(1, len(inputs) // 500)] for text in texts),
        _most(lengths),
        _most(targets or [0]),
        float(np.mean(lengths)),
        Counter(dict(Counter(_labels(examples)).most_common())),
    )


def _input(example: Row) -> list[str]:
    if "tokens" in example:
        return list(example["tokens"])
    return [example[name] for name in ("text", "text_pair", "question", "context", "source") if name in example]


def _labels(examples: Sequence[Row]) -> Iterable[str]:
    for example in examples:
        several = example.get("labels") or example.get("tags") or ()
        yield from [example["label"]] if "label" in example else several


def _most(lengths: Sequence[int]) -> int:
    return int(np.percentile(lengths, 99, method="higher"))


def task_lines(finding: Finding, task: Task, measured: Measured) -> list[Line]:
    lines: list[Line] = [("name", finding.task, f"{finding.kind}: {finding.reason}")]
    if isinstance(task, GenerativeTask) and (prefix := _prefix(finding, measured)):
        lines.append(("prefix", prefix, "as T5 was pretrained"))
    lines += [(key, value, _WHY.get(key, "")) for key, value in finding.keys.items()]
    lines.append(("max_length", *_length(measured.words, measured, finding)))
    if isinstance(task, GenerativeTask):
        lines.append(("max_target_length", *_length(measured.target_words, measured, None)))
    if "label" in finding.columns:
        lines.append(("metrics", *_metrics(measured)))
    if finding.kind == "correction":
        lines.append(("metrics", ["gleu", "bleu"], "GLEU: for corrections, against source and references"))
    return lines


_WHY = {
    "label_separator": "what stands between the labels of a text",
    "labels": "names of the tags, in the order of their numbers",
}


def _length(words: int, measured: Measured, finding: Finding | None) -> tuple[int, str]:
    factor = FACTORS[measured.language]
    tokens = 8 * math.ceil((words * factor + 3) / 8)
    unit = "characters" if measured.language == "Chinese" else "words"
    told = f"99 % have at most {words} {unit}, x {factor} tokens a {unit.removesuffix('s')}"
    least, most = 32, LONGEST
    if finding and finding.task == "question-answering":
        least, most, cut = SHORTEST_WINDOW, 384, "longer ones are read in windows"
    elif finding and finding.task == "token-classification":
        cut = "longer ones are read in windows"
    else:
        cut = "longer ones are cut"
    if tokens > most:
        return most, f"tokens; {cut}: 99 % have at most {words} {unit}"
    return max(least, tokens), f"tokens: {told}"


def _metrics(measured: Measured) -> tuple[list[str], str]:
    if measured.skew < SKEWED:
        fairly = "" if measured.skew < 1.5 else "fairly "
        return ["accuracy", "f1"], f"accuracy chooses the checkpoint: the labels are {fairly}balanced"
    told = f"the most frequent label has {measured.skew:.0f} times the rows of the rarest"
    return ["f1", "accuracy", "per_class"], f"macro F1 first: {told}"


def model_line(finding: Finding, task: Task, measured: Measured, chosen: str | None) -> Line:
    if chosen:
        return "name_or_path", chosen, "as --model says"
    return "name_or_path", *_model(finding, task, measured)


def _model(finding: Finding, task: Task, measured: Measured) -> tuple[str, str]:
    language = measured.language
    if isinstance(task, GenerativeTask):
        if _t5(finding, measured):
            return "google-t5/t5-small", "writes texts; English"
        return "google/mt5-small", "writes texts; 101 languages"
    match language:
        case "Chinese":
            return "google-bert/bert-base-chinese", "Chinese characters"
        case "other":
            return "distilbert/distilbert-base-multilingual-cased", "104 languages: the texts seem not to be English"
        case _ if finding.task == "token-classification":
            return "distilbert/distilbert-base-cased", "English; cased: capital letters tell names"
    return "distilbert/distilbert-base-uncased", "English; small and fast; bert-base-uncased is slower and a bit better"


def _t5(finding: Finding, measured: Measured) -> bool:
    if finding.task == "translation":
        return finding.keys.get("source_language") == "en" and finding.keys["target_language"] in T5_LANGUAGES
    return measured.language == "English"


def _prefix(finding: Finding, measured: Measured) -> str:
    if not _t5(finding, measured):
        return ""
    match finding.task:
        case "summarization":
            return "summarize: "
        case "translation":
            return f"translate English to {NAMES[finding.keys['target_language']]}: "
    return ""


def training_lines(task: Task, rows: int) -> list[Line]:
    epochs, batch = next((epochs, batch) for below, epochs, batch in SCHEDULES if rows < below)
    steps = math.ceil(rows / batch) * epochs
    rate = (
        ("3e-4", "usual for T5")
        if isinstance(task, GenerativeTask)
        else ("5e-5", "2e-4 for a model as small as MiniLM")
    )
    return [
        ("learning_rate", float(rate[0]), rate[1]),
        ("num_train_epochs", epochs, f"about {steps:,} steps; few rows need more epochs, many need fewer"),
        ("batch_size", batch, ""),
    ]
