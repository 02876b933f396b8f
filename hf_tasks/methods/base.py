"""Method: which parameters train, and when. It sees a model, never a task."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from hf_tasks.core.section import Section

if TYPE_CHECKING:
    from torch import nn
    from transformers import TrainerCallback

Saved = Literal["model", "trained", "peft"]
"""What a run saves: the whole model as transformers saves it; the trained parameters alone; PEFT's adapter files."""


class Method(Section, ABC):
    learning_rate: ClassVar[float] = 5e-5
    """The default: what trains few or new parameters needs more than full fine-tuning does."""
    saves: ClassVar[Saved] = "model"

    name: str

    @property
    def extra_tokens(self) -> int:
        """How many tokens the method adds to every input, out of those that the model can read."""
        return 0

    def clashes(self, training: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
        """Impossible combinations of this section's keys, or with keys of `training`: (key in the method section, what
        is wrong; what to do)."""
        yield from ()

    def effective(self) -> dict[str, Any]:
        """Every key with its value, given or by default."""
        return self.model_dump()

    @abstractmethod
    def prepare(self, model: "nn.Module") -> "nn.Module":
        """The model with this method's structure, the parameters that it promises to train marked by `requires_grad`.

        Called before training, and again when a run is loaded. RecipeError where the model cannot be adapted so.
        """

    def callbacks(self) -> list["TrainerCallback"]:
        """What changes during training (schedules)."""
        return []

    def groups(self, model: "nn.Module", learning_rate: float, weight_decay: float) -> list[dict[str, Any]] | None:
        """The optimizer's groups of parameters; None: transformers' own, weight decay for all but biases and norms."""
        return None

    def merge(self, model: "nn.Module") -> "nn.Module":
        """A plain model that computes the same. RunError where that is not exactly possible."""
        return model
