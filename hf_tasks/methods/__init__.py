"""The ways of adapting a model, one file each. A new method is one file and one name in the union below."""

from hf_tasks.methods.base import Method
from hf_tasks.methods.full import Full

AnyMethod = Full

__all__ = ["AnyMethod", "Full", "Method"]
