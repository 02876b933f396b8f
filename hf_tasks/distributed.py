"""What the processes of one training tell each other. With one process, every function here does nothing much.

The processes are started by `hf-tasks train --num-processes N`, torchrun or `accelerate launch`; each runs the same
straight line. The main process alone prints and writes; what it finds out on disk, it tells the others.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hf_tasks.errors import RunError

T = TypeVar("T")


def launched() -> int:
    """How many processes the launcher of this one started, over all machines; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process is the one that prints and writes."""
    return launched() == 1 or os.environ.get("RANK", "0") == "0"


def start(use_cpu: bool = False) -> None:
    """Meet the other processes, if there are any. RunError where not all of them are there."""
    if launched() == 1:
        return
    import torch
    from accelerate import PartialState

    use_cpu = use_cpu or not torch.accelerator.is_available()
    os.environ["ACCELERATE_USE_CPU"] = str(use_cpu).lower()  # TrainingArguments asks again
    found = PartialState(cpu=use_cpu).num_processes
    if found != launched():
        raise RunError(f"{launched()} processes were started, {found} train together; start them with torchrun")


def rank_and_size() -> tuple[int, int]:
    """(the number of this process, how many there are)."""
    if launched() == 1:
        return 0, 1
    from torch import distributed

    return (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)


def barrier() -> None:
    """Wait until every process is here."""
    if rank_and_size()[1] > 1:
        from torch import distributed

        distributed.barrier()


def gather(value: T) -> list[T]:
    """The value of every process, in their order; each process gets all of them."""
    _, size = rank_and_size()
    if size == 1:
        return [value]
    from torch import distributed

    values: list[Any] = [None] * size
    distributed.all_gather_object(values, value)
    return values


def is_loss_of_a_process(error: Exception) -> bool:
    """Whether an error only says that another process has ended; that one knows why."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return launched() > 1 and ("DistError" in kinds or "gloo" in str(error))


def told_by_main(find_out: Callable[[], T]) -> T:
    """What the main process finds out, in every process; its RunError too."""
    outcome: list[Any] = [None]
    if is_main():
        try:
            outcome = [find_out()]
        except RunError as e:
            outcome = [e]
    found: Any = gather(outcome[0])[0]
    if isinstance(found, RunError):
        raise found
    return found  # type: ignore[no-any-return]


def largest(values: Sequence[float], device: Any) -> list[float]:
    """The largest of each value over the processes; cheap enough for every step."""
    if rank_and_size()[1] == 1:
        return list(values)
    import torch
    from torch import distributed

    tensor = torch.tensor(values, dtype=torch.float32, device=device)
    distributed.all_reduce(tensor, op=distributed.ReduceOp.MAX)
    return tensor.tolist()
