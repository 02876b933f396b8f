"""The sublayers of a model's blocks, found in a traced forward pass: attention, cross-attention, feed-forward.

A sublayer ends in its output projection, the matrix whose product is summed with the residual stream, and in the
dropout of that product: in BERT `attention.output.dense` and `output.dense`, in DistilBERT `attention.out_lin` and
`ffn.lin2`, in T5 `o` and `wo`. The code is independent of architectures.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from hf_tasks.core.errors import RunError
from hf_tasks.models.layers import Stack, try_out

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Sublayer:
    projection: nn.Module
    """The matrix at its end."""
    end: nn.Module
    """What gives its output: the dropout module behind the projection, or the projection where there is none."""
    norm: nn.Module | None
    """What normalises the sum of its output and the residual stream; None where something else reads the sum first."""
    width: int
    """Numbers in its output at each position."""


def sublayers_of(model: nn.Module, stacks: tuple[Stack, ...]) -> list[list[Sublayer]]:
    """The sublayers of every block in the order in which they run: the feed-forward is a block's last.

    Runs the model once on a few tokens; it is left as it was. Raises RunError, which names what was found, where a
    block has not at least two.
    """
    summed = _summed(model)
    names = {module: name for name, module in model.named_modules()}
    found = []
    for stack in stacks:
        for i, block in enumerate(stack.blocks):
            inside = set(block.modules())
            here = [one for one in summed if one.projection in inside]
            here = [one for one in here if one.width == here[-1].width]  # no sum within an activation
            if len(here) < 2:
                projections = ", ".join(names[one.projection] for one in here) or "none"
                raise RunError(
                    f"model.name_or_path: attention and feed-forward of {stack.name}.{i} in {type(model).__name__} "
                    f"cannot be distinguished (projections onto the residual stream: {projections}); "
                    f"choose another checkpoint or method"
                )
            for one in here:  # a norm of the next block, or of the whole stack, reads the stream and not this sum
                one.norm = one.norm if one.norm in inside else None
            found.append(here)
    return found


def _summed(model: nn.Module) -> list[Sublayer]:
    """The modules that are one matrix and whose output is an operand of a sum, in the order of the sums."""
    sums = _Sums()
    handles = []
    for module in model.modules():
        shapes = {name: parameter.dim() for name, parameter in module.named_parameters()}
        if shapes.get("weight") == 2 and shapes.keys() <= {"weight", "bias"}:
            handles.append(module.register_forward_hook(sums.note_output))
        elif shapes.get("weight") == 1:
            handles.append(module.register_forward_pre_hook(sums.note_norm))
        elif isinstance(module, nn.Dropout):
            handles.append(module.register_forward_hook(sums.note_dropout))
    try:
        with sums:
            try_out(model)
    finally:
        for handle in handles:
            handle.remove()
    return sums.sublayers()


class _Sums(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes which modules' outputs are summed with something of the same shape, and what happens before and after.

    Tensors are known by their addresses, which dropout that is off does not change; they are kept, so that no address
    comes twice.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.outputs: dict[int, tuple[nn.Module, Tensor]] = {}
        self.results: dict[int, tuple[nn.Module, Tensor]] = {}
        self.widths: dict[nn.Module, int] = {}
        self.dropouts: dict[nn.Module, set[nn.Module | None]] = {}
        """The projections whose outputs each dropout reads; None: something else."""
        self.norms: dict[nn.Module, nn.Module] = {}
        """Of each projection, the first that reads its sum."""

    def note_output(self, module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):  # experts of a mixture return several
            self.outputs[output.data_ptr()] = module, output

    def note_dropout(self, module: nn.Module, _: Any, output: "Tensor") -> None:
        read = self.outputs.get(output.data_ptr())
        self.dropouts.setdefault(module, set()).add(read and read[0])

    def note_norm(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        read = self.results.get(inputs[0].data_ptr()) if inputs and isinstance(inputs[0], torch.Tensor) else None
        if read:
            self.norms.setdefault(read[0], module)

    def sublayers(self) -> list[Sublayer]:
        ends = {only: dropout for dropout, (only, *more) in self.dropouts.items() if not more and only is not None}
        return [Sublayer(one, ends.get(one, one), self.norms.get(one), width) for one, width in self.widths.items()]

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if function.overloadpacket.__name__ in ("add", "add_"):
            operands = [operand for operand in args[:2] if isinstance(operand, torch.Tensor)]
            for operand in operands if len({operand.shape for operand in operands}) == 1 else []:
                module, output = self.outputs.get(operand.data_ptr(), (None, operand))
                if module is not None and output.shape == operand.shape:
                    self.widths[module] = output.shape[-1]
                    self.results[result.data_ptr()] = module, result
        return result
