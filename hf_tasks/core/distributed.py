"""What the processes of one training tell each other. With one process, every function here does nothing much.

The processes are started by `hf-tasks train --num-processes N`, torchrun or `accelerate launch`; each runs the same
straight line. The main process alone prints and writes; what it finds out on disk, it tells the others.


Several processes on this machine, each with the same command."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hf_tasks.core.errors import RunError

T = TypeVar("T")


def world_size() -> int:
    """How many processes the launcher of this one started, over all machines; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process is the one that prints and writes."""
    return world_size() == 1 or os.environ.get("RANK", "0") == "0"


def start(use_cpu: bool = False) -> None:
    """Meet the other processes, if there are any. RunError where not all of them are there."""
    if world_size() == 1:
        return
    import torch
    from accelerate import PartialState

    use_cpu = use_cpu or not torch.accelerator.is_available()
    os.environ["ACCELERATE_USE_CPU"] = str(use_cpu).lower()  # TrainingArguments asks again
    found = PartialState(cpu=use_cpu).num_processes
    if found != world_size():
        raise RunError(f"{world_size()} processes were started, {found} train together; start them with torchrun")


def rank_and_size() -> tuple[int, int]:
    """(the number of this process, how many there are)."""
    if world_size() == 1:
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
    return world_size() > 1 and ("DistError" in kinds or "gloo" in str(error))


def broadcast_from_main(find_out: Callable[[], T]) -> T:
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


def all_reduce_max(values: Sequence[float], device: Any) -> list[float]:
    """The largest of each value over the processes; cheap enough for every step."""
    if rank_and_size()[1] == 1:
        return list(values)
    import torch
    from torch import distributed

    tensor = torch.tensor(values, dtype=torch.float32, device=device)
    distributed.all_reduce(tensor, op=distributed.ReduceOp.MAX)
    return tensor.tolist()


LAUNCHER = "HF_TASKS_LAUNCHER"
"""The environment variable with the launcher's process id: its processes end with it."""


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run `hf-tasks ARGUMENTS` in several processes that know of each other; the exit code of the first that failed, or
    0. SIGTERM and Ctrl-C are passed on to them."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # what went wrong, the processes tell
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    os.environ[LAUNCHER] = str(os.getpid())
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=processes, rdzv_backend="c10d", rdzv_endpoint="localhost:0",
        run_id=str(os.getpid()), max_restarts=0, monitor_interval=0.1,
    )  # fmt: skip
    try:
        elastic_launch(config, sys.executable)("-m", "hf_tasks", *arguments)
    except ChildFailedError as e:
        rank, failure = e.get_first_failure()
        if failure.exitcode < 0:
            print(f"process {rank} was ended by {signal.Signals(-failure.exitcode).name}", file=sys.stderr)
        return failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode
    except SignalException as e:
        return 128 + e.sigval.value
    return 0
