"""Checks of untrusted checkpoints: no files outside the folder, no code from the Hub, a bounded number of layers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_tasks.core.untrusted import read_json

INDEX = "model.safetensors.index.json"
MOST_LAYERS = 1000
"""Of a model; the deepest published ones have under 200."""


def check_weights(place: str) -> None:
    """ValueError where the index of the weights in a folder names a file that is not a .safetensors file there."""
    index = Path(place, INDEX)
    if not index.is_file():
        return
    names = read_json(index)["weight_map"].values()
    if wrong := [name for name in names if Path(str(name)).name != name or not str(name).endswith(".safetensors")]:
        raise ValueError(f"{INDEX} names {wrong[0]!r}, which is not a .safetensors file in the same folder")


def check_config(values: Mapping[str, Any]) -> None:
    """ValueError where the values of a config.json ask for code of the Hub, or for more layers than any model has."""
    kernel = values.get("attn_implementation") or values.get("_attn_implementation")
    if kernel is not None and "/" in str(kernel):
        raise ValueError(
            f"config.json asks for the attention kernel {kernel!r}, which is code of the Hub; remove the key"
        )
    for key, value in values.items():
        if "layer" in key and isinstance(value, int) and value > MOST_LAYERS:
            raise ValueError(f"config.json gives {key} as {value:,}, and {MOST_LAYERS:,} is the most that is built")


def check_adapter(values: Mapping[str, Any]) -> None:
    """ValueError where the values of an adapter_config.json name a Python module to import."""
    if values.get("megatron_config"):
        raise ValueError("adapter_config.json asks for Megatron, whose module it names; remove megatron_config")
