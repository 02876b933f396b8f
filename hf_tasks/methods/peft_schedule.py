"""What two of PEFT's types do at every step: AdaLoRA (Zhang et al. 2023, https://arxiv.org/abs/2303.10512) moves its
budget of ranks to the layers that need them, AdaMSS its subspaces."""

from typing import Any

import torch
from transformers import TrainerCallback

from hf_tasks.core.errors import RecipeError


class Allocation(TrainerCallback):  # type: ignore[misc]
    """Calls PEFT's `update_and_allocate` between an optimizer step and the clearing of the gradients."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        tuner = kwargs["model"].base_model
        config = tuner.peft_config["default"]
        if config.peft_type != "ADALORA":
            return
        if config.tinit >= state.max_steps - config.tfinal:
            raise RecipeError(
                f"method.tinit: with {config.tinit} first and {config.tfinal} last steps, a training of "
                f"{state.max_steps} steps leaves none to allocate ranks in; lower tinit or tfinal"
            )
        config.total_step = state.max_steps
        tuner.rankallocator.set_total_step(state.max_steps)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        tuner = kwargs["model"].base_model
        config = tuner.peft_config["default"]
        if config.peft_type == "ADALORA" and config.orth_reg_weight:
            (config.orth_reg_weight * _skewness(tuner)).backward()

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        kwargs["model"].base_model.update_and_allocate(state.global_step)


def _skewness(tuner: Any) -> torch.Tensor:
    """AdaLoRA's regulariser (equation 4): how far the singular vectors are from orthogonal, per matrix. PEFT adds it to
    the loss that a model computes by itself; ours is computed outside of the model."""
    singular = [(n, p) for n, p in tuner.named_parameters() if "lora_A" in n or "lora_B" in n]
    products = [p @ p.T if "lora_A" in n else p.T @ p for n, p in singular]
    distances = [torch.linalg.matrix_norm(m - torch.eye(len(m), device=m.device, dtype=m.dtype)) for m in products]
    return torch.stack(distances).mean()
