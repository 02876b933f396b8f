"""Pipelines: those that transformers 5 removed, on our own prediction; all others are transformers' own."""

import re
import warnings
from pathlib import Path
from typing import Any

from hf_tasks.core.checkpoint_paths import resolve_checkpoint
from hf_tasks.core.errors import RunError
from hf_tasks.runs.pipelines.checkpoint import load, run_of
from hf_tasks.tasks import QuestionAnswering, TextToText

TRANSLATION = re.compile(r"translation(_[a-z]{2,}_to_[a-z]{2,})?")
DEFAULT_MODELS = {
    "question-answering": ("distilbert/distilbert-base-cased-distilled-squad", "564e9b5"),
    "summarization": ("sshleifer/distilbart-cnn-12-6", "a4f8f3e"),
    "translation": ("google-t5/t5-base", "a9723ea"),
    "text2text-generation": ("google-t5/t5-base", "a9723ea"),
}
"""Checkpoints of transformers 4 for calls without a model: id and revision."""
FIXED = {"framework": "pt", "use_fast": True, "trust_remote_code": False}
"""Arguments of transformers 4 that can have one value."""


def pipeline(
    task: str,
    model: Any = None,
    tokenizer: Any = None,
    *,
    revision: str | None = None,
    device: Any = None,
    dtype: Any = None,
    **options: Any,
) -> Any:
    """See `hf_tasks.pipeline`."""
    wanted = task_of(task)
    if wanted is None:
        return _of_transformers(task, model, tokenizer, revision=revision, device=device, dtype=dtype, **options)
    if model is None:
        model, revision = DEFAULT_MODELS[wanted.name]
        warnings.warn(f"no model was given for {task}; {model} at revision {revision} is used", stacklevel=3)
    for name, value in FIXED.items():
        if (given := options.pop(name, None)) not in (None, value):
            raise RunError(f"{name}: can only be {value!r}; found {given!r}")
    dtype = options.pop("torch_dtype", dtype)
    checkpoint = load(model, wanted, tokenizer=tokenizer, revision=revision, device=device, dtype=dtype)
    if isinstance(wanted, QuestionAnswering):
        from hf_tasks.runs.pipelines.question_answering import QuestionAnsweringPipeline

        return QuestionAnsweringPipeline(checkpoint, **options)
    from hf_tasks.runs.pipelines.text_to_text import TextToTextPipeline

    return TextToTextPipeline(task, checkpoint, **options)


def task_of(name: str) -> QuestionAnswering | TextToText | None:
    """The task of a pipeline that transformers 5 removed; None for another name."""
    if name == "question-answering":
        return QuestionAnswering(name="question-answering")
    if name in ("summarization", "text2text-generation"):
        return TextToText.model_validate({"name": name})
    return TextToText(name="translation") if TRANSLATION.fullmatch(name) else None


def _of_transformers(task: str, model: Any, tokenizer: Any, **options: Any) -> Any:
    """The pipeline of transformers, for a run with its loaded model."""
    from transformers import pipeline as of_transformers

    if options.get("trust_remote_code"):
        raise RunError("trust_remote_code: code of a checkpoint is never run; remove it")
    if run := run_of(model):
        model, tokenizer = run.model, tokenizer or run.tokenizer
    elif isinstance(model, str | Path):
        model = resolve_checkpoint(str(model))
    options = {name: value for name, value in options.items() if value is not None}
    return of_transformers(task, model=model, tokenizer=tokenizer, **options)
