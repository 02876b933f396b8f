"""Exact losses of effective batches that are computed in pieces (GradCache, Gao et al. 2021,
https://aclanthology.org/2021.repl4nlp-1.31).

A loss that compares the rows of a batch needs the embeddings of all of them. Before the first backward pass of a step,
every process embeds its pieces without a graph and keeps the random state of each; the loss of all embeddings gives the
gradient of each one. Then each piece is embedded again, in the same random state, and its gradient is propagated.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from hf_tasks.core import distributed
from hf_tasks.models.sentence_embedding import EMBEDDING
from hf_tasks.tasks import Task
from hf_tasks.tasks.collate import IGNORE
from hf_tasks.tasks.types import Batch

Embed = Callable[[Batch], Tensor]
"""The embeddings (B, T, H) of a batch."""


@dataclass(frozen=True)
class RandomState:
    """The state of the generators of random numbers of the CPU and of one device."""

    cpu: Tensor
    device: Tensor | None

    @classmethod
    def now(cls, device: torch.device) -> "RandomState":
        return cls(torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None)

    def restore(self, device: torch.device) -> None:
        torch.set_rng_state(self.cpu)
        if self.device is not None:
            torch.cuda.set_rng_state(self.device, device)


@dataclass(frozen=True)
class CachedPiece:
    """What is known of a piece before its backward pass."""

    random: RandomState
    gradient: Tensor
    """(B, T, H) of the loss of the effective batch."""
    loss: Tensor
    """(scalar) the piece's share of that loss, so that the shares add up to it."""

    @contextmanager
    def same_random_numbers(self) -> Iterator[None]:
        """Context manager in which the model draws the same dropout as when the embeddings were computed."""
        device = self.gradient.device
        after = RandomState.now(device)
        self.random.restore(device)
        yield
        after.restore(device)

    def backward_loss(self, embeddings: Tensor) -> Tensor:
        """A scalar with the value of `loss`, whose gradient at the embeddings is `gradient`."""
        inner = (embeddings.float() * self.gradient).sum()
        return self.loss + inner - inner.detach()


def cached_pieces(task: Task, pieces: Sequence[Batch], embed: Embed, device: torch.device) -> list[CachedPiece]:
    """Compute the loss of an effective batch, of which this process has some pieces, and its gradients."""
    randoms, embedded = [], list[Tensor]()
    with torch.no_grad():
        for piece in pieces:
            randoms.append(RandomState.now(device))
            embedded.append(embed(piece).float())
    mine = [_real(_loss_columns(piece) | {EMBEDDING: rows}) for piece, rows in zip(pieces, embedded, strict=True)]
    rank, _ = distributed.rank_and_size()
    of_all = distributed.gather([{name: column.cpu() for name, column in piece.items()} for piece in mine])
    every = [piece for of_one in of_all for piece in of_one]
    whole = {name: column.to(device) for name, column in _joined(every).items()}
    leaf = whole.pop(EMBEDDING).requires_grad_()
    with torch.enable_grad():
        loss = task.loss({EMBEDDING: leaf}, whole)
        (gradient,) = torch.autograd.grad(loss, leaf)
    sizes = [len(piece["labels"]) for piece in every]
    first = sum(map(len, of_all[:rank]))
    gradients = torch.split(gradient, sizes)[first : first + len(pieces)]
    return [
        CachedPiece(random, _filled(own, piece, rows), loss.detach() * len(own) / len(leaf))
        for random, own, piece, rows in zip(randoms, gradients, pieces, embedded, strict=True)
    ]


def _loss_columns(piece: Batch) -> Batch:
    return {name: column for name, column in piece.items() if name == "labels" or name.startswith("loss_")}


def _is_real(piece: Batch) -> Tensor:
    """(B,) the rows that are not fillers of an empty piece."""
    return piece["labels"] != IGNORE


def _real(piece: Batch) -> Batch:
    rows = _is_real(piece)
    return {name: column[rows.to(column.device)] for name, column in piece.items()}


def _joined(pieces: Sequence[Batch]) -> Batch:
    """The rows of all pieces, with as many texts a row (T) as the widest piece has."""
    texts = max(piece[EMBEDDING].shape[1] for piece in pieces)
    return {name: torch.cat([_widened(piece[name], texts) for piece in pieces]) for name in pieces[0]}


def _widened(column: Tensor, texts: int) -> Tensor:
    """(B, ...) -> (B, T, ...) with zeros for the texts that a row does not have; (B,) stays."""
    if column.ndim == 1 or column.shape[1] == texts:
        return column
    return torch.cat([column, column.new_zeros(len(column), texts - column.shape[1], *column.shape[2:])], dim=1)


def _filled(gradient: Tensor, piece: Batch, embeddings: Tensor) -> Tensor:
    """The gradient (B, T, H) of a piece's embeddings, zero for fillers, from that of its real rows."""
    whole = torch.zeros_like(embeddings)
    whole[_is_real(piece)] = gradient[:, : embeddings.shape[1]].to(whole.device)
    return whole
