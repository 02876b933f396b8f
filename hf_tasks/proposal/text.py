"""A proposed recipe as YAML with comments."""

from collections.abc import Iterable
from typing import Any

import yaml

from hf_tasks.proposal.values import Line

COMMENTS_AT = 40
WIDTH = 120
SCRATCH = (
    "from nothing but these data (better with 10,000 pairs or more): instead of name_or_path",
    "tokenizer: {vocab_size: 8000}",
    "config: {model_type: marian, d_model: 128, encoder_layers: 4, decoder_layers: 4, encoder_attention_heads: 4,",
    "  decoder_attention_heads: 4, encoder_ffn_dim: 256, decoder_ffn_dim: 256, scale_embedding: true}",
)


def section(name: str, lines: Iterable[Line], notes: Iterable[str] = ()) -> list[str]:
    """A section of a recipe; `notes` are comments below its keys."""
    written = [commented(f"  {key}: {scalar(value)}", why) for key, value, why in lines]
    return [f"{name}:", *written, *(f"  # {note}" for note in notes)]


def commented(text: str, comment: str) -> str:
    """`text`, and the comment beside it, or above it where the line would be too long."""
    if not comment:
        return text
    line = f"{text:<{COMMENTS_AT - 1}} # {comment}"
    indent = text[: len(text) - len(text.lstrip())]
    return line if len(line) <= WIDTH else f"{indent}# {comment}\n{text}"


def scalar(value: Any) -> str:
    """A value on one line of YAML."""
    match value:
        case float():
            return f"{value:.0e}".replace("e-0", "e-") if value < 1e-2 else str(value)
        case str() if value.endswith(" "):
            return f'"{value}"'
    plain = list(value) if isinstance(value, tuple) else value
    text: str = yaml.safe_dump(
        [plain], default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return text.strip()[1:-1]
