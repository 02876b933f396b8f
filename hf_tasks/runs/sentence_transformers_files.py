"""The files that let sentence-transformers load a run: which modules to apply to a text, one after another.

They have the layout of its versions before 6, which later versions read too. Our package is not needed to load it.
"""

import json
from pathlib import Path
from typing import Any

from hf_tasks.models.pooling import Pooling

FORMAT = "3.0.0"
"""The version of sentence-transformers whose layout this is."""
FILES = ("modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "config_sentence_transformers.json")


def write(folder: Path, pooling: Pooling, width: int, max_length: int) -> None:
    """Write the files beside a saved model. `width`: dimensions of an embedding; `max_length`: tokens that are read."""
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
