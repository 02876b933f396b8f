"""Launching and communication of the processes of one training; with one process the functions do nothing.

The processes are started by `hf-tasks train --num-processes N`, torchrun or `accelerate launch`, and run the same
code. Only the main process prints and writes files; it broadcasts what it reads from the disk.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hf_tasks.core.errors import RunError

T = TypeVar("T")


def world_size() -> int:
    """Number of processes that the launcher started, over all machines; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this is the main process (rank 0), the only one that prints and writes files."""
    return world_size() == 1 or os.environ.get("RANK", "0") == "0"


def start(use_cpu: bool = False) -> None:
    """Initialize the process group, if there are several processes. Raises RunError if some of them are missing."""
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
    """Return (the rank of this process, the number of processes)."""
    if world_size() == 1:
        return 0, 1
    from torch import distributed

    return (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)


def barrier() -> None:
    """Wait until every process has reached this call."""
    if rank_and_size()[1] > 1:
        from torch import distributed

        distributed.barrier()


def gather(value: T) -> list[T]:
    """Return the values of all processes in the order of their ranks, on every process."""
    _, size = rank_and_size()
    if size == 1:
        return [value]
    from torch import distributed

    values: list[Any] = [None] * size
    distributed.all_gather_object(values, value)
    return values


def is_worker_failure(error: Exception) -> bool:
    """Whether the error only reports that another process has ended, which has printed the reason."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return world_size() > 1 and ("DistError" in kinds or "gloo" in str(error))


def broadcast_from_main(function: Callable[[], T]) -> T:
    """Call the function on the main process and return its result, or raise its RunError, on every process."""
    outcome: Any = None
    if is_main():
        try:
            outcome = function()
        except RunError as e:
            outcome = e
    result: Any = gather(outcome)[0]
    if isinstance(result, RunError):
        raise result
    return result  # type: ignore[no-any-return]


def all_reduce_max(values: Sequence[float], device: Any) -> list[float]:
    """Return the maximum of each value over all processes; cheap enough for every step."""
    if rank_and_size()[1] == 1:
        return list(values)
    import torch
    from torch import distributed

    tensor = torch.tensor(values, dtype=torch.float32, device=device)
    distributed.all_reduce(tensor, op=distributed.ReduceOp.MAX)
    return tensor.tolist()


LAUNCHER = "HF_TASKS_LAUNCHER"
"""Environment variable with the launcher's process id; the workers stop when the launcher ends."""


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run `hf-tasks ARGUMENTS` in several processes of one group; return 0 or the exit code of the first failure.

    SIGTERM and Ctrl-C are passed on to the processes.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # the workers print their errors
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
