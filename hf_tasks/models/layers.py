"""Where a model's layers are, found in a traced forward pass: before its blocks, in them, after them.

A block is a member of a homogeneous `ModuleList`: `bert.encoder.layer`, `distilbert.transformer.layer`, T5's
`encoder.block` and `decoder.block`, ALBERT's one shared group. The code is independent of architectures.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hf_tasks.core.errors import RunError

if TYPE_CHECKING:
    from torch import nn

PRETRAINED = "pretrained_parameters"
"""The attribute of a model that names them."""


@dataclass(frozen=True)
class Stack:
    """One stack of equal blocks; an encoder-decoder has two."""

    name: str
    """The name of the `ModuleList`, e.g. `bert.encoder.layer`."""
    blocks: tuple["nn.Module", ...]
    """From the bottom to the top."""
    depth: int
    """How many times blocks run in one forward pass: more than there are blocks where layers are shared (ALBERT)."""


@dataclass(frozen=True)
class Layers:
    """The parameters of a model by their place (names of `named_parameters`), and its stacks in running order."""

    bottom: tuple[str, ...]
    """Before the blocks: embeddings, and what the blocks share."""
    stacks: tuple[Stack, ...]
    head: tuple[str, ...]
    """After the blocks: last norms, pooler, classifier."""
    new: tuple[str, ...]
    """Of the head, what a method trains that leaves the checkpoint's own weights alone: the task's layers outside of
    the base model, and within it what the checkpoint does not have, such as a pooler or a mix of layers."""
    encoder: tuple["nn.Module", ...]
    """Every module that has done its work when the last block has: what is frozen as a whole runs without dropout."""

    def names(self, stack: Stack, block: int) -> tuple[str, ...]:
        """The parameters of one block."""
        return tuple(f"{stack.name}.{block}.{name}" for name, _ in stack.blocks[block].named_parameters())

    @property
    def blocks(self) -> tuple[tuple[str, ...], ...]:
        """The parameters of every block, from the bottom of the first stack to the top of the last."""
        return tuple(self.names(stack, i) for stack in self.stacks for i in range(len(stack.blocks)))


def pretrained_layers(model: "nn.Module") -> Layers:
    """The layers of a transformers model. Runs it once on a few tokens; it is left as it was.

    Raises RunError, which names what was found, where there is no stack of blocks, or where they do not run one stack
    after another (XLM's attentions and feed-forwards are in lists of their own).
    """
    lists = block_lists(model)
    if not lists:
        splits = ", ".join(f"{name} ({type(child).__name__})" for name, child in model.named_children())
        raise RunError(
            f"model.name_or_path: no stack of equal layers in {type(model).__name__}, only {splits}; "
            f"choose another checkpoint, or method.name: full"
        )
    called = calls(model)
    order = {module: i for i, module in reversed(list(enumerate(called)))}  # module -> when it first had finished
    stacks = sorted(
        (Stack(name, tuple(blocks), sum(called.count(b) for b in blocks)) for name, blocks in lists.items()),
        key=lambda stack: order.get(stack.blocks[0], 0),
    )
    runs = [[i for i, module in enumerate(called) if module in stack.blocks] for stack in stacks]
    if not all(runs) or any(below[-1] > above[0] for below, above in pairwise(runs)):
        raise RunError(
            f"model.name_or_path: the lists of equal layers in {type(model).__name__} do not run one after another: "
            f"{', '.join(lists)}; choose another checkpoint, or method.name: full"
        )
    places = {name: _place(name, module, stacks, order) for name, module in _owners(model).items()}
    head = tuple(name for name, place in places.items() if place == "head")
    pretrained = _pretrained(model)
    return Layers(
        bottom=tuple(name for name, place in places.items() if place == "bottom"),
        stacks=tuple(stacks),
        head=head,
        new=tuple(name for name in head if name not in pretrained),
        encoder=tuple(dict.fromkeys(called[: runs[-1][-1] + 1])),
    )


def note_pretrained(model: Any, absent: Collection[str]) -> None:
    """Keep with a freshly loaded model which parameters of its base model are the checkpoint's: all but `absent`."""
    base = model.base_model
    prefix = "" if base is model else f"{model.base_model_prefix}."
    names = {f"{prefix}{name}" for name, _ in base.named_parameters()}
    setattr(model, PRETRAINED, frozenset(names - set(absent)))


def _pretrained(model: "nn.Module") -> frozenset[str]:
    """What `note_pretrained` has kept; nothing for a model that was put together in another way."""
    kept: frozenset[str] = getattr(model, PRETRAINED, frozenset())
    return kept


def block_lists(model: "nn.Module") -> dict[str, list["nn.Module"]]:
    """The outermost lists of equal modules that have parameters."""
    from torch import nn

    found: dict[str, list[nn.Module]] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if not isinstance(module, nn.ModuleList) or inside or not len(module):
            continue
        if len({type(block) for block in module}) == 1 and any(True for _ in module.parameters()):
            found[name] = list(module)
    return found


def calls(model: "nn.Module") -> list["nn.Module"]:
    """The modules in the order in which their calls end, in one forward pass over a few tokens."""
    called: list[nn.Module] = []

    def note(module: "nn.Module", *_: Any) -> None:
        called.append(module)

    handles = [module.register_forward_hook(note, prepend=True) for module in model.modules()]
    try:
        try_out(model)
    finally:
        for handle in handles:
            handle.remove()
    return called


def try_out(model: "nn.Module") -> None:
    """One forward pass over a few tokens, without dropout and gradients; the model is left as it was.

    Raises RunError where the model cannot be computed from token ids, such as one that reads images or places too.
    """
    import torch

    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            model(**few_tokens(model))
    except Exception as e:
        reason = (str(e).strip() or type(e).__name__).splitlines()[0].rstrip(".")
        raise RunError(
            f"model.name_or_path: {type(model).__name__} cannot be computed from the tokens of a text ({reason}); "
            f"choose a checkpoint for texts"
        ) from e
    finally:
        for module, mode in training.items():
            module.training = mode


def reads_choices(model: "nn.Module") -> bool:
    """Whether a model reads token ids (B, choices, L), as the heads of transformers for multiple choice do."""
    return any(type(module).__name__.endswith("ForMultipleChoice") for module in model.modules())


def few_tokens(model: "nn.Module") -> dict[str, Any]:
    """A small batch that any text model can read."""
    import torch

    device = next(model.parameters()).device
    ids = torch.tensor([[1, 2, 3, 1, 2, 3, 1, 2]], device=device)  # Canine cannot read fewer than 4
    if reads_choices(model):
        ids = ids[:, None]  # (B, choices, L)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if any(type(module).__name__.startswith("Longformer") for module in model.modules()):  # it looks for separators
        inputs["global_attention_mask"] = torch.zeros_like(ids)
    config: Any = model.config
    return inputs | ({"decoder_input_ids": ids} if config.is_encoder_decoder else {})


def _owners(model: "nn.Module") -> dict[str, "nn.Module"]:
    """The module that holds each parameter, by the parameter's name."""
    modules = dict(model.named_modules())
    return {name: modules[name.rpartition(".")[0]] for name, _ in model.named_parameters()}


def _place(name: str, module: "nn.Module", stacks: list[Stack], order: dict["nn.Module", int]) -> str:
    """`block`; else `bottom` or `head`, before or after the blocks of the stack next to the parameter.

    What does not run as a module (a table that the blocks look things up in) is `bottom`.
    """
    if any(name.startswith(f"{stack.name}.") for stack in stacks):
        return "block"
    siblings = [stack for stack in stacks if name.startswith(f"{stack.name.rpartition('.')[0]}.")]
    first = order.get((siblings or stacks)[-1].blocks[0], 0)
    return "head" if order.get(module, 0) > first else "bottom"
