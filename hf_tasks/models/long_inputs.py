"""What models for long documents need besides the tokenizer's columns.

Longformer and LED read a `global_attention_mask`, which the task writes where the tokenizer names it. BigBird reads
inputs of one length.
"""

import inspect
from typing import TYPE_CHECKING, Any

from hf_tasks.tasks.types import GLOBAL_ATTENTION

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase


def prepare_long_inputs(model: Any, tokenizer: "PreTrainedTokenizerBase", max_length: int) -> None:
    """Let the task write a `global_attention_mask` where the model reads one, and let BigBird pad to one length."""
    names = list(tokenizer.model_input_names)
    if GLOBAL_ATTENTION in inspect.signature(model.forward).parameters and GLOBAL_ATTENTION not in names:
        tokenizer.model_input_names = [*names, GLOBAL_ATTENTION]
    if model.config.model_type == "big_bird" and model.config.attention_type == "block_sparse":
        _fix_length(model, max_length)


def _fix_length(model: Any, max_length: int) -> None:
    """Full attention where BigBird's sparse pattern needs more tokens than are read; else inputs of one length.

    BigBird (Zaheer et al. 2020, https://arxiv.org/abs/2007.14062) of transformers changes to full attention at the
    first batch that is too short for the pattern, and never back; and its random blocks depend on the padded length.
    Batches of one length keep results independent of the order of batches and of other texts in them.
    """
    block, random_blocks = model.config.block_size, model.config.num_random_blocks
    if max_length <= (5 + 2 * random_blocks) * block:
        model.base_model.set_attention_type("original_full")
        model.config.attention_type = "original_full"
        return
    fixed = _FixedLength(-(-max_length // block) * block)
    model.register_forward_pre_hook(fixed.begin, with_kwargs=True)
    model.register_forward_hook(fixed.end)


class _FixedLength:
    """Pads the inputs (..., L) of a model to one length and cuts its outputs for tokens to L again."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.length = width

    def begin(self, model: "nn.Module", args: tuple[Any, ...], inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        import torch

        inputs = dict(zip(inspect.signature(model.forward).parameters, args, strict=False)) | inputs
        self.length = inputs["input_ids"].shape[-1]
        inputs.setdefault("attention_mask", torch.ones_like(inputs["input_ids"]))
        config: Any = model.config
        pads = {"input_ids": config.pad_token_id, "attention_mask": 0, "token_type_ids": 0}
        for name in pads.keys() & inputs.keys():
            missing = (0, max(0, self.width - self.length))
            inputs[name] = torch.nn.functional.pad(inputs[name], missing, value=pads[name])
        return (), inputs

    def end(self, model: "nn.Module", _: Any, outputs: Any) -> Any:
        import torch

        def cut(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(map(cut, value))
            if torch.is_tensor(value) and value.ndim > 1 and value.shape[1] == self.width > self.length:
                return value[:, : self.length]
            return value

        for name, value in list(outputs.items()):
            outputs[name] = cut(value)
        return outputs
