"""Fail, or kill at, the n-th of all calls by which a command changes files; the same command must then end the same.

python benchmarks/faults                          every state of the main scenario, and every call that fails
python benchmarks/faults --scenarios all          every method, seeds, two processes, and the other commands
python benchmarks/faults --trials 20              as many of each kind, drawn by --seed; --minutes 5 limits each kind
python benchmarks/faults --real 10                whole new processes, killed at the n-th call

A library that is preloaded (faults.c, compiled by cc) counts the calls of the C library below one folder: open, write,
rename, unlink, mkdir, fsync and the like, of Python, PyTorch, safetensors, tokenizers. Commands run in forks of this
process, which has imported everything. One command is stopped before each call, and the folder copied: that is what
kill -9 would leave there. From each different copy the same command goes on. Then each call fails once, with ENOSPC,
EDQUOT or EIO, and all later ones that need room on the disk; signals come before calls; kills follow each other.
The outcomes are compared exactly: weights, predictions, evaluations, results, the names of all files.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scenarios import COMMANDS, TRAININGS, Scenario, command, training
from trials import Tally, Trials
from zygote import Library, Zygote

KINDS = ("states", "failures", "signals", "chains")
MEMORY = Path("/dev/shm")


def main() -> int:
    names = (*TRAININGS, *COMMANDS)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenarios", nargs="+", default=["full"], choices=("all", *names))
    parser.add_argument("--kinds", nargs="+", default=["states", "failures"], choices=KINDS)
    parser.add_argument("--trials", type=int, help="of each kind and scenario; without it, all")
    parser.add_argument("--minutes", type=float, default=1e6, help="of each kind and scenario")
    parser.add_argument("--real", type=int, default=0, help="trials of whole new processes, killed at the n-th call")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if "faults.so" not in os.environ.get("LD_PRELOAD", ""):
        return _preloaded()
    library = Library(Path(os.environ["LD_PRELOAD"]).parent)
    del os.environ["LD_PRELOAD"]
    chosen = names if "all" in options.scenarios else options.scenarios
    return 1 if _tried(library, options, chosen) else 0


def _preloaded() -> int:
    """This program again, under the library. The exit code."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        library = Library(Path(folder))
        library.compile()
        environment = os.environ | {"LD_PRELOAD": str(library.file), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        environment |= {"TOKENIZERS_PARALLELISM": "false", "PYTHONWARNINGS": "ignore"}
        return subprocess.run([sys.executable, *sys.orig_argv[1:]], env=environment).returncode


def _tried(library: Library, options: argparse.Namespace, chosen: list[str]) -> int:
    """How many trials went wrong."""
    import torch
    from tqdm import tqdm

    torch.set_num_threads(1)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup ignores
    tqdm.monitor_interval = 0  # no thread
    folder, root = library.folder / "given", library.folder / "root"
    folder.mkdir(), root.mkdir()
    os.environ |= {"HF_TASKS_CACHE": str(root / "cache"), "XDG_STATE_HOME": str(root / "state")}
    zygote, chance, wrong = Zygote(library, root), random.Random(options.seed), 0
    warm = dict.fromkeys(["full", *(name for name in chosen if name in TRAININGS and name != "two-processes")])
    zygote.warm([training(folder, library.folder / "warm" / name, name).command for name in warm])
    for name in chosen:
        scenario = training(folder, root, name) if name in TRAININGS else _on_a_run(zygote, folder, name)
        trials = Trials.of(zygote, scenario)
        kinds = {"two-processes": ["launchers"], "push": ["requests"]}.get(name, options.kinds)
        limits = dict.fromkeys(kinds, options.trials) | ({"anew": options.real} if options.real else {})
        for kind, most in limits.items():
            tally = Tally(f"{name}, {kind}", time.monotonic() + options.minutes * 60)
            getattr(trials, kind)(tally, chance, most)
            wrong += tally.wrong
    return wrong


def _on_a_run(zygote: Zygote, folder: Path, name: str) -> Scenario:
    """A command on a run that was trained before."""
    run = zygote.library.folder / "finished"
    if not run.exists():
        scenario = training(folder, zygote.root, "full")
        scenario.prepare()
        ended = zygote.run(scenario.command)
        assert ended.code == 0, ended.said
        (zygote.root / "run").rename(run)
    return command(folder, zygote.root, name, run)


if __name__ == "__main__":
    sys.exit(main())
