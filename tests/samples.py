"""A few rows of every task, and what a perfect model would give for them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

SURE = 20.0


@dataclass(frozen=True)
class Sample:
    task: dict[str, Any]
    """The recipe's task section."""
    rows: list[dict[str, Any]]
    perfect: Callable[[dict[str, Any], Any], Any]
    """(batch, model) -> outputs as of a perfect model; not read where the model writes texts."""
    architecture: str = "bert"
    best: float = 1.0
    """The first metric of perfect predictions."""


def _of_labels(batch: dict[str, Any], model: Any) -> Any:
    """Logits (..., C) that are high at labels (...)."""
    wanted = torch.nn.functional.one_hot(batch["labels"].clamp(min=0), model.config.num_labels)
    return {"logits": SURE * wanted.float()}


def _of_flags(batch: dict[str, Any], model: Any) -> Any:
    return {"logits": SURE * (2 * batch["labels"] - 1)}


def _of_numbers(batch: dict[str, Any], model: Any) -> Any:
    return {"logits": batch["labels"][:, None]}


def _of_choices(batch: dict[str, Any], model: Any) -> Any:
    return {"logits": SURE * torch.nn.functional.one_hot(batch["labels"], batch["loss_choices"].shape[1]).float()}


def _of_masked(batch: dict[str, Any], model: Any) -> Any:
    wanted = batch["labels"][batch["masked_positions"]]
    return {"logits": SURE * torch.nn.functional.one_hot(wanted, model.config.vocab_size).float()}


def _of_pairs(batch: dict[str, Any], model: Any) -> Any:
    """Embeddings (B, 2, 2) whose cosine is a tenth of the label."""
    cosine = batch["labels"] / 10
    second = torch.stack([cosine, (1 - cosine**2).sqrt()], dim=1)
    return {"sentence_embedding": torch.stack([torch.tensor([1.0, 0.0]).expand_as(second), second], dim=1)}


def _of_classes(batch: dict[str, Any], model: Any) -> Any:
    return {"sentence_embedding": torch.nn.functional.one_hot(batch["labels"].long(), 4).float()[:, None]}


def _of_anchors(batch: dict[str, Any], model: Any) -> Any:
    """An anchor and its positive have the same embedding, which no other text has."""
    places = batch["loss_texts"][:, 1:2].expand_as(batch["loss_texts"]).clone()
    places[:, 2:] = batch["loss_texts"][:, 2:]
    return {"sentence_embedding": torch.nn.functional.one_hot(places % 211, 211).float()}


def _of_spans(batch: dict[str, Any], model: Any) -> Any:
    width = batch["input_ids"].shape[1]
    start, end = torch.nn.functional.one_hot(batch["labels"], width).float().unbind(1)
    return {"start_logits": SURE * start, "end_logits": SURE * end}


def _written(batch: dict[str, Any], model: Any) -> Any:
    raise AssertionError("texts are generated")


LONG = "the good film and the bad book in paris and rome " * 4
ANSWERED = {"text": ["rome"], "answer_start": [LONG.index("rome")]}
PAIRS = [("the good film", "a bad book"), ("mary lives in paris", "john works in rome"), ("a king", "the queen")]
CHOICES = [
    {"context": "mary lives in paris", "question": "who lives in paris", "choices": ["mary", "john"], "label": 0},
    {"context": LONG, "question": "where", "choices": ["rome", "london", "the river", "a bank"], "label": 2},
    {"context": "john works", "question": "who", "choices": ["anna", "peter", "john"], "label": 2},
]

SAMPLES = [
    Sample({"name": "text-classification", "metrics": ["accuracy"]},
           [{"text": "a good film", "label": "good"}, {"text": LONG, "label": "bad"}, {"text": "", "label": "good"}][:2]
           + [{"text": "a", "label": "good"}], _of_labels),
    Sample({"name": "text-classification", "metrics": ["accuracy"], "long_texts": "windows", "doc_stride": 8},
           [{"text": "a good film", "labels": ["joy"]}, {"text": LONG, "labels": ["joy", "awe"]},
            {"text": "a", "labels": []}], _of_flags),
    Sample({"name": "text-classification", "metrics": ["pearson"]},
           [{"text": a, "text_pair": b, "score": i / 2} for i, (a, b) in enumerate(PAIRS)], _of_numbers),
    Sample({"name": "token-classification", "metrics": ["tagging_accuracy"], "doc_stride": 8},
           [{"tokens": LONG.split(), "tags": ["B-X" if word == "paris" else "O" for word in LONG.split()]},
            {"tokens": ["anna", "works"], "tags": ["B-X", "O"]}], _of_labels),
    Sample({"name": "question-answering", "metrics": ["squad_v2"], "doc_stride": 8, "null_score_diff_threshold": 0.0},
           [{"id": "1", "question": "where", "context": LONG, "answers": ANSWERED},
            {"id": "2", "question": "who", "context": "mary lives in paris",
             "answers": {"text": ["mary"], "answer_start": [0]}},
            {"id": "3", "question": "who", "context": "a film", "answers": {"text": [], "answer_start": []},
             "is_impossible": True}],
           _of_spans, best=100.0),
    *(Sample({"name": name, "metrics": ["chrf"], "max_target_length": 16},
             [{"source": a, "target": b} for a, b in PAIRS], _written, "t5", 100.0)
      for name in ("summarization", "translation", "text2text-generation")),
    Sample({"name": "multiple-choice"}, CHOICES, _of_choices),
    Sample({"name": "coreference"},
           [{"text": "mary saw anna and she won", "pronoun": "she", "names": ["mary", "anna"], "label": "anna"},
            {"text": f"john met peter . {LONG} he works", "pronoun": "he", "pronoun_offset": 17 + len(LONG) + 1,
             "names": ["john", "peter", "rome"], "offsets": [0, 9, 17 + LONG.index("rome")], "label": "neither"},
            {"text": "anna saw mary", "pronoun": "saw", "names": ["anna", "mary"], "label": [True, False]}],
           _of_choices),
    Sample({"name": "fill-mask", "masking": "words"}, [{"text": text} for text in (LONG, "mary lives in paris", "a")],
           _of_masked),
    Sample({"name": "few-shot-classification"},
           [{"text": "a bad book", "label": "bad"}, {"text": LONG, "label": "good"},
            {"text": "the good film", "label": "good"}], _of_classes),
    Sample({"name": "sentence-similarity", "loss_function": "cosent"},
           [{"sentence1": a, "sentence2": b, "score": 1 + i} for i, (a, b) in enumerate(PAIRS)], _of_pairs),
    Sample({"name": "sentence-similarity", "loss_function": "cosine", "dimensions": [8]},
           [{"sentence1": a, "sentence2": b, "score": 1 + i} for i, (a, b) in enumerate(PAIRS)], _of_pairs),
    Sample({"name": "sentence-similarity", "threshold": 0.05},
           [{"sentence1": a, "sentence2": b, "label": i % 2} for i, (a, b) in enumerate(PAIRS)], _of_pairs),
    Sample({"name": "sentence-similarity", "loss_function": "triplet"},
           [{"anchor": a, "positive": b, "negatives": ["the river", LONG][: 1 + i % 2]}
            for i, (a, b) in enumerate(PAIRS)], _of_anchors),
    Sample({"name": "sentence-similarity"}, [{"anchor": a, "positive": b} for a, b in PAIRS], _of_anchors),
    Sample({"name": "text-generation", "metrics": ["chrf"], "max_target_length": 16, "separator": " to:",
            "prompt_loss_weight": 0.1}, [{"prompt": a, "completion": b} for a, b in PAIRS], _written, "gpt2", 100.0),
]  # fmt: skip
