"""Defaults of a proposed recipe, with their reasons: lengths, model, training and metrics.

Learning rates, batch sizes and epochs follow Devlin et al. 2019, appendix A.3 (https://aclanthology.org/N19-1423), with
more epochs for few examples (Mosbach et al. 2021, https://arxiv.org/abs/2006.04884); for T5, the learning rate of its
documentation (https://huggingface.co/docs/transformers/model_doc/t5).
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hf_tasks.recipe.init import columns
from hf_tasks.recipe.init.columns import LANGUAGES
from hf_tasks.recipe.init.detection import Detection
from hf_tasks.tasks import Task
from hf_tasks.tasks.types import Example

Line = tuple[str, Any, str]
"""(key of a section, value, reason)."""
Language = Literal["English", "Chinese", "other"]

TOKENS_PER_WORD: dict[Language, float] = {"English": 1.3, "Chinese": 1.0, "other": 1.8}
"""Tokens per word, punctuation mark or Chinese character for the proposed models, with a margin."""
LONGEST = 512
PACKED = 128
"""Tokens of a window of texts that are joined."""
SHORTEST_WINDOW = 192
"""Shortest window of question answering, whose windows overlap by 128 tokens."""
SCHEDULES = ((1_000, 10, 16), (5_000, 5, 16), (50_000, 3, 32), (math.inf, 2, 32))
"""(training examples below, epochs, batch size)."""
IMBALANCED = 3
"""Ratio of the most frequent to the rarest label from which accuracy hides the rare labels."""
FEW = 2_000
MANY = 10_000
"""Number of pairs from which training from scratch is worth trying."""
T5_LANGUAGES = ("de", "fr", "ro")
"""Languages into which T5 was pretrained to translate English (Raffel et al. 2020, https://arxiv.org/abs/1910.10683)."""
ENGLISH_SHARE = 0.08
"""Share of frequent English words above which a text in Latin letters counts as English."""
FEW_WORDS = 200
"""With fewer words the language is unknown: texts in Latin letters then count as English."""

_IDEOGRAPHS = re.compile(r"[\u4e00-\u9fff]")
_KANA_AND_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_LETTERS = re.compile(r"[^\W\d_]")
_ENGLISH = re.compile(
    r"\b(the|of|and|to|is|that|it|for|with|you|this|are|be|have|not|what|how|was|on|as|at|from|they|he|she|my|who)\b"
)


# -- statistics of the data


@dataclass(frozen=True)
class TextStatistics:
    """Statistics of the examples of a sample."""

    language: Language
    words: int
    """99 % of the inputs have at most this many words."""
    target_words: int
    """99 % of the target texts have at most this many words."""
    mean_words: float
    labels: Counter[str]

    @property
    def imbalance(self) -> float:
        counts = self.labels.values()
        return max(counts) / min(counts)

    @property
    def unit(self) -> str:
        return "characters" if self.language == "Chinese" else "words"


def measure(examples: Sequence[Example]) -> TextStatistics:
    inputs = [_input(example) for example in examples]
    lengths = [sum(map(columns.words, texts)) for texts in inputs]
    written = [text for example in examples for name in ("target", "completion") for text in example.get(name) or ()]
    targets = [columns.words(text) for text in written]
    return TextStatistics(
        language_of(text for texts in inputs[:: max(1, len(inputs) // 500)] for text in texts),
        _most(lengths),
        _most(targets or [0]),
        float(np.mean(lengths)),
        Counter(dict(Counter(_labels(examples)).most_common())),
    )


def language_of(texts: Iterable[str]) -> Language:
    """Detect the language from the letters and, in Latin letters, the share of frequent English words."""
    text = " ".join(texts)
    letters = len(_LETTERS.findall(text)) or 1
    if len(_IDEOGRAPHS.findall(text)) > letters / 3 and len(_KANA_AND_HANGUL.findall(text)) < letters / 20:
        return "Chinese"
    found = sum(word.isalpha() for word in re.findall(r"\w+", text))
    english = len(_ENGLISH.findall(text.lower()))
    if len(_LATIN.findall(text)) > 0.9 * letters and english > ENGLISH_SHARE * (found - FEW_WORDS):
        return "English"
    return "other"


def _input(example: Example) -> list[str]:
    if "tokens" in example:
        return list(example["tokens"])
    if "anchor" in example or "sentence1" in example:
        every = [example.get(name, "") for name in ("anchor", "positive", "sentence1", "sentence2")]
        return [max([*every, *example.get("negatives", ())], key=len)]
    names = ("text", "text_pair", "question", "context", "source", "prompt")
    return [example[name] for name in names if name in example] + sorted(example.get("choices", ()), key=len)[-1:]


def _labels(examples: Sequence[Example]) -> Iterable[str]:
    for example in examples:
        several = example.get("labels") or example.get("tags") or ()
        yield from [str(example["label"])] if "label" in example else several


def _most(lengths: Sequence[int]) -> int:
    return int(np.percentile(lengths, 99, method="higher"))


# -- model


@dataclass(frozen=True)
class ModelChoice:
    """A checkpoint and its training options."""

    name: str
    why: str
    learning_rate: float
    rate_reason: str
    """E.g. "usual for T5"."""
    longest: int = LONGEST
    """Maximum number of tokens that the model reads."""
    decoder: str = ""
    """The checkpoint for the decoder, if the model is an encoder and the task needs a decoder."""


BASE = (5e-5, "usual for models of BERT's size")
T5 = (3e-4, "usual for T5")
EMBEDDER = (2e-5, "usual for models of sentence embeddings")


def choose_model(found: Detection, task: Task, data: TextStatistics, chosen: str | None) -> ModelChoice:
    """Choose a checkpoint for the data; for the user's checkpoint, the options that its configuration implies."""
    if chosen:
        return _of_user(chosen, task.traits.writes_text and task.model_spec.tokenizer_texts is not None)
    if found.task == "text-generation":
        return ModelChoice("openai-community/gpt2", "decoder-only; English", *BASE)
    if task.traits.writes_text:
        if _t5(found, data):
            return ModelChoice("google-t5/t5-small", "generates texts; English", *T5)
        return ModelChoice("google/mt5-small", "generates texts; 101 languages", *T5)
    if found.task == "sentence-similarity":
        english = data.language == "English"
        name = "all-MiniLM-L6-v2" if english else "paraphrase-multilingual-MiniLM-L12-v2"
        why = f"trained for sentence embeddings; {'English' if english else '50 languages'}"
        return ModelChoice(f"sentence-transformers/{name}", why, *EMBEDDER)
    match data.language:
        case "Chinese":
            name, why = "google-bert/bert-base-chinese", "Chinese characters"
        case "other":
            name = "distilbert/distilbert-base-multilingual-cased"
            why = "104 languages: the texts do not seem to be English"
        case _ if found.task == "token-classification":
            name, why = "distilbert/distilbert-base-cased", "English; cased: capital letters mark names"
        case _:
            name = "distilbert/distilbert-base-uncased"
            why = "English; small and fast; bert-base-uncased is slower and slightly better"
    return ModelChoice(name, why, *BASE)


def _of_user(name: str, writes: bool) -> ModelChoice:
    config = _config(name)
    size = next((config[key] for key in ("hidden_size", "d_model", "dim") if key in config), 0)
    positions = config.get("max_position_embeddings", LONGEST if config else LONGEST)
    offset = 2 if config.get("model_type") in ("roberta", "xlm-roberta", "camembert") else 0
    rate = BASE
    if "t5" in str(config.get("model_type", name)).lower():
        rate, positions = T5, LONGEST
    elif 0 < size <= 400 or (not size and re.search(r"(?i)minilm|tiny|mini", name)):
        rate = 2e-4, "usual for models of MiniLM's size"
    elif size >= 1024 or (not size and "large" in name):
        rate = 2e-5, "usual for large models"
    encoder = bool(config) and writes and not config.get("is_encoder_decoder", False)
    why = "given by --model" + "; an encoder: a copy of it becomes the decoder" * encoder
    return ModelChoice(name, why, *rate, int(positions) - offset, name if encoder else "")


def _config(name: str) -> dict[str, Any]:
    """Return a checkpoint's configuration, {} if it is not on this machine. Raises RunError for a missing path."""
    from transformers import AutoConfig

    from hf_tasks.core.checkpoint_paths import resolve_checkpoint

    try:
        config = AutoConfig.from_pretrained(resolve_checkpoint(name), trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError):
        return {}
    return {"is_encoder_decoder": config.is_encoder_decoder, **config.to_dict()}


def _t5(found: Detection, data: TextStatistics) -> bool:
    if found.task == "translation":
        return found.keys.get("source_language") == "en" and found.keys["target_language"] in T5_LANGUAGES
    return data.language == "English"


# -- sections of the recipe


def task_lines(found: Detection, task: Task, data: TextStatistics, model: ModelChoice) -> list[Line]:
    lines: list[Line] = [("name", found.task, f"{found.kind}: {found.reason}")]
    if "prefix" in type(task).model_fields and (prefix := _prefix(found, data, model)):
        lines.append(("prefix", prefix, "as in T5's pretraining"))
    lines += [(key, value, _WHY.get(key, "")) for key, value in found.keys.items()]
    length, why = _length(data.words, data, model.longest, found)
    if "packing" in found.keys:
        length, why = min(PACKED, model.longest), "tokens of a window"
    lines.append(("max_length", length, why))
    if found.task == "question-answering" and length < SHORTEST_WINDOW:
        lines.append(("doc_stride", length // 4, "windows overlap by a quarter"))
    if task.traits.writes_text:
        lines.append(("max_target_length", *_length(data.target_words, data, model.longest, None)))
    if found.task == "text-classification" and "label" in found.columns:
        lines.append(("metrics", *_metrics(data)))
    if found.kind == "correction" and found.task == "text2text-generation":
        lines.append(("metrics", ["gleu", "bleu"], "GLEU compares corrections with source and references"))
    return lines


_WHY = {
    "label_separator": "separates the labels of a text",
    "packing": "joins the texts to windows of max_length; false: each text by itself",
    "labels": "names of the tags, in the order of their ids",
}


def _prefix(found: Detection, data: TextStatistics, model: ModelChoice) -> str:
    if not _t5(found, data) or "t5" not in model.name.lower():
        return ""
    match found.task:
        case "summarization":
            return "summarize: "
        case "translation":
            return f"translate English to {LANGUAGES[found.keys['target_language']]}: "
    return ""


def _length(words: int, data: TextStatistics, longest: int, found: Detection | None) -> tuple[int, str]:
    per_word = TOKENS_PER_WORD[data.language]
    tokens = 8 * math.ceil((words * per_word + 3) / 8)
    least, most, cut = 32, LONGEST, "longer texts are truncated"
    if found and found.task in ("question-answering", "token-classification"):
        cut = "longer texts are read in windows"
        least, most = (SHORTEST_WINDOW, 384) if found.task == "question-answering" else (least, most)
    most = min(most, longest)
    if tokens > most:
        return most, f"tokens; {cut}: 99 % have at most {words} {data.unit}"
    return min(max(least, tokens), most), f"tokens; 99 % of the texts have at most {words} {data.unit}"


def _metrics(data: TextStatistics) -> tuple[list[str], str]:
    if data.imbalance < IMBALANCED:
        fairly = "" if data.imbalance < 1.5 else "fairly "
        return ["accuracy", "f1"], f"accuracy selects the checkpoint: the labels are {fairly}balanced"
    reason = f"the most frequent label has {data.imbalance:.0f} times the examples of the rarest"
    return ["f1", "accuracy", "per_class"], f"macro F1 first: {reason}"


def model_lines(model: ModelChoice) -> list[Line]:
    lines: list[Line] = [("name_or_path", model.name, model.why)]
    return [*lines, ("decoder_name_or_path", model.decoder, "")] if model.decoder else lines


def training_lines(model: ModelChoice, rows: int) -> list[Line]:
    epochs, batch = next((epochs, batch) for below, epochs, batch in SCHEDULES if rows < below)
    steps = math.ceil(rows / batch) * epochs
    return [
        ("learning_rate", model.learning_rate, model.rate_reason),
        ("num_train_epochs", epochs, f"about {steps:,} steps; few examples need more epochs, many need fewer"),
        ("batch_size", batch, ""),
    ]
