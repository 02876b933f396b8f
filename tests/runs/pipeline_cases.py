"""Calls of pipelines, with the answers of transformers 4.57.6 in pipeline_answers.json.

`python pipeline_cases.py BERT T5` with transformers 4.57.6 writes that file, for the folders of the fixture
`checkpoints` in test_pipelines.py.
"""

import json
import sys
import zlib
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).with_name("pipeline_answers.json")
CONTEXT = (
    "Mary lives in London. She works at a big bank on the river, plays good music and saw Paris, Rome and a new city. "
    "John was born in a small city, and died in Paris; the king and the queen went to the river with Anna and Peter."
)
WHO = {"question": "who lives in london?", "context": CONTEXT}
SHORT = {"question": "where?", "context": "In Rome, not Paris."}
NO_ANSWER = {"handle_impossible_answer": True}
TEXTS = ["the good film", "when you came to london and saw the queen", "bad"]

QUESTIONS: list[tuple[list[Any], dict[str, Any]]] = [
    ([], WHO),
    ([], WHO | {"top_k": 5}),
    ([], WHO | {"top_k": 3, "max_answer_len": 4}),
    ([], WHO | {"top_k": 4, "align_to_words": False}),
    ([], WHO | {"top_k": 3, "max_seq_len": 40, "doc_stride": 12}),
    ([], WHO | {"top_k": 3, "max_seq_len": 32, "doc_stride": 5, "max_answer_len": 3} | NO_ANSWER),
    ([], SHORT | {"top_k": 2}),
    ([], SHORT | {"top_k": 6, "max_answer_len": 2, "align_to_words": False} | NO_ANSWER),
    ([], {"question": "the king?", "context": CONTEXT, "top_k": 40, "max_answer_len": 2} | NO_ANSWER),
    ([[WHO, SHORT]], {}),
    ([[WHO]], {}),
    ([], {"question": ["who?", "when did she work?"], "context": CONTEXT}),
]
GENERATIONS: list[tuple[str, Any, dict[str, Any]]] = [
    ("summarization", TEXTS[0], {"max_new_tokens": 8}),
    ("summarization", TEXTS, {"max_new_tokens": 8, "num_beams": 1}),
    ("text2text-generation", TEXTS, {"max_new_tokens": 6, "num_beams": 3, "num_return_sequences": 2}),
    (
        "text2text-generation",
        [TEXTS[1]],
        {"max_new_tokens": 6, "min_new_tokens": 5, "num_beams": 2},
    ),
    ("translation", TEXTS[1], {"max_new_tokens": 7}),
    ("translation_en_to_de", TEXTS, {"max_new_tokens": 7}),
    ("translation_en_to_fr", TEXTS[2], {"max_new_tokens": 9, "no_repeat_ngram_size": 2}),
    ("text2text-generation", TEXTS[0], {"max_new_tokens": 6, "do_sample": True, "num_beams": 1, "top_k": 5}),
]
SEED = 3


def fill(model: Any) -> Any:
    """Give each parameter values that depend on its name alone, in every version of transformers."""
    import numpy
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            numbers = numpy.random.default_rng(zlib.crc32(name.encode())).standard_normal(parameter.shape)
            parameter.copy_(torch.from_numpy(numbers * (0.3 if parameter.dim() > 1 else 0.1)) + (parameter.dim() == 1))
    return model.eval()


def record(bert: str, t5: str) -> None:
    import warnings

    import torch
    from transformers import PreTrainedTokenizerFast, pipeline

    warnings.simplefilter("ignore")
    ask = pipeline("question-answering", model=bert, device=-1)
    answers = [ask(*args, **kwargs) for args, kwargs in QUESTIONS]
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    words = PreTrainedTokenizerFast(tokenizer_file=f"{t5}/tokenizer.json", **special)
    texts = []
    for task, inputs, options in GENERATIONS:
        torch.manual_seed(SEED)
        texts.append(pipeline(task, model=t5, tokenizer=words, device=-1)(inputs, **options))
    RECORDED.write_text(json.dumps({"answers": answers, "texts": texts}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record(*sys.argv[1:])
