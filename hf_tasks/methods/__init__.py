"""The ways of adapting a model, one file each. A new method is one file and one name in the union below."""

from typing import Annotated

from pydantic import Field

from hf_tasks.methods.base import Method
from hf_tasks.methods.bitfit import BitFit
from hf_tasks.methods.bottleneck_adapter import BottleneckAdapter
from hf_tasks.methods.frozen import Frozen
from hf_tasks.methods.full import Full
from hf_tasks.methods.gradual_unfreezing import GradualUnfreezing
from hf_tasks.methods.peft import AnyPeft, PeftMethod

AnyMethod = Annotated[
    BitFit | BottleneckAdapter | Frozen | Full | GradualUnfreezing | AnyPeft, Field(discriminator="name")
]

__all__ = ["AnyMethod", "BitFit", "BottleneckAdapter", "Frozen", "Full", "GradualUnfreezing", "Method", "PeftMethod"]
