"""The files that let sentence-transformers load a run: which modules to apply to a text, one after another.

They have the layout of its versions before 6, which later versions read too. Our package is not needed to load it.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.recipe import Recipe
from hf_tasks.runs import model_files
from hf_tasks.tasks.types import max_input_length

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FORMAT = "3.0.0"
"""The version of sentence-transformers whose layout this is."""
FILES = ("modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "config_sentence_transformers.json")


def write(recipe: Recipe, model: Any, tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """Write the files beside a saved model if it gives embeddings and the library can load it."""
    if not recipe.task.model_spec.embeds or model_files.saved_as(recipe) == "trained":
        return
    pooling, width = model_files.pooling_of(recipe), model.config.hidden_size
    max_length = max_input_length(recipe.task.max_length, tokenizer)
    kinds = {"Transformer": "", "Pooling": "1_Pooling"}
    modes = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max", "mean_sqrt_len_tokens": ""}
    contents: dict[str, Any] = {
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (kind, path) in enumerate(kinds.items())
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": width,
            **{f"pooling_mode_{mode}": pooling == name for mode, name in modes.items()},
        },
        "sentence_bert_config.json": {"max_seq_length": max_length, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "__version__": {"sentence_transformers": FORMAT},
            "prompts": {},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }
    (folder / "1_Pooling").mkdir(exist_ok=True)
    for name in FILES:
        (folder / name).write_text(json.dumps(contents[name], indent=2) + "\n", encoding="utf-8")
