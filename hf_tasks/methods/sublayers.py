"""The sublayers of a model's blocks, found by watching it compute: attention, cross-attention, feed-forward.

A sublayer ends in its output projection, the matrix whose product is summed with the residual stream: in BERT
`attention.output.dense` and `output.dense`, in DistilBERT `attention.out_lin` and `ffn.lin2`, in T5 `o` and `wo`.
No name of an architecture is known here.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from hf_tasks.errors import RunError
from hf_tasks.methods.layers import Stack, try_out

if TYPE_CHECKING:
    from torch import Tensor


def output_projections(model: nn.Module, stacks: tuple[Stack, ...]) -> list[list[tuple[nn.Module, int]]]:
    """The output projections of every block and the sizes of their outputs, in the order in which they run: the
    feed-forward's is a block's last.

    Runs the model once on a few tokens; it is left as it was. Raises RunError, which names what was found, where a
    block has not at least two.
    """
    summed = _summed(model)
    names = {module: name for name, module in model.named_modules()}
    found = []
    for stack in stacks:
        for i, block in enumerate(stack.blocks):
            inside = set(block.modules())
            here = [(module, width) for module, width in summed.items() if module in inside]
            here = [(module, width) for module, width in here if width == here[-1][1]]  # no sum within an activation
            if len(here) < 2:
                projections = ", ".join(names[module] for module, _ in here) or "none"
                raise RunError(
                    f"model.name_or_path: attention and feed-forward of {stack.name}.{i} in {type(model).__name__} are "
                    f"not to be told apart (projections onto the residual stream: {projections}); "
                    f"choose another checkpoint or method"
                )
            found.append(here)
    return found


def _summed(model: nn.Module) -> dict[nn.Module, int]:
    """The modules that are one matrix and whose output is an operand of a sum, with the size of that output; in the
    order of the sums."""
    sums = _Sums()
    matrices = [
        module
        for module in model.modules()
        if [parameter.dim() for name, parameter in module.named_parameters() if name == "weight"] == [2]
    ]
    handles = [module.register_forward_hook(sums.note_output) for module in matrices]
    try:
        with sums:
            try_out(model)
    finally:
        for handle in handles:
            handle.remove()
    return sums.found


class _Sums(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes which modules' outputs are summed with something of the same shape."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.outputs: dict[int, tuple[nn.Module, Tensor]] = {}
        """By address, which dropout that is off does not change; the tensors are kept: no address comes twice."""
        self.found: dict[nn.Module, int] = {}

    def note_output(self, module: nn.Module, _: Any, output: "Tensor") -> None:
        self.outputs[output.data_ptr()] = module, output

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function.overloadpacket.__name__ in ("add", "add_"):
            operands = [operand for operand in args[:2] if isinstance(operand, torch.Tensor)]
            for operand in operands if len({operand.shape for operand in operands}) == 1 else []:
                module, output = self.outputs.get(operand.data_ptr(), (None, operand))
                if module is not None and output.shape == operand.shape:
                    self.found[module] = output.shape[-1]
        return function(*args, **(kwargs or {}))
