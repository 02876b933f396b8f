"""Kills real trainings at random moments, until each is finished, and compares what comes out with an undisturbed one.

    python benchmarks/chaos.py --kills 30 [--processes 2 | --machines] [--seed 0]

A tiny BERT with dropout trains with early stopping, an evaluation and a checkpoint at every step, so that much of the
time is spent in writing checkpoints. Each attempt is a process (or two, of which one is hit) forked from this one,
which has imported everything already. The moment of each signal and its kind (mostly SIGKILL; SIGTERM, SIGINT) are
drawn by the seed. A training that was hit is started again by the same call. Exit code 1 where weights or results
differ. `--machines` (Linux, as root) gives each of two processes a network namespace with an address of its own, joined
by a virtual cable: two machines that share a disk.
"""

import argparse
import collections
import contextlib
import ctypes
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WORDS = ["good", "bad", "slow", "fast", "film", "book", "card", "phone"]
SIGNALS = [signal.SIGKILL] * 8 + [signal.SIGTERM, signal.SIGINT]


def build(folder: Path) -> dict[str, Any]:
    """A recipe as plain values: a tiny model and 60 rows."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    tokenizer = BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, model_max_length=32)
    tokenizer.save_pretrained(folder / "model")
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(pieces), max_position_embeddings=32, **sizes)).save_pretrained(folder / "model")
    texts = [" ".join(WORDS[(i * k) % 8] for k in range(1, 2 + i % 9)) for i in range(60)]
    rows = [{"text": text, "label": ("yes", "no")[i % 2]} for i, text in enumerate(texts)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return {
        "name": "chaos",
        "task": {"name": "text-classification"},
        "data": {"train": str(folder / "rows.jsonl"), "validation_size": 0.3},
        "model": {"name_or_path": str(folder / "model")},
        "training": {
            "batch_size": 8, "num_train_epochs": 5, "learning_rate": 5e-3, "save_total_limit": 2,
            "eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps", "save_steps": 1,
        },
        "early_stopping": {"early_stopping_patience": 12},
    }  # fmt: skip


class Machines:
    """Two network namespaces, joined by a pair of virtual Ethernet devices."""

    ADDRESSES = ("10.77.0.1", "10.77.0.2")

    def __enter__(self) -> "Machines":
        for name in ("chaos0", "chaos1"):
            self.ip("netns", "add", name)
        self.ip("link", "add", "chaos0", "netns", "chaos0", "type", "veth", "peer", "name", "chaos1", "netns", "chaos1")
        for name, address in zip(("chaos0", "chaos1"), self.ADDRESSES, strict=True):
            self.ip("-n", name, "addr", "add", f"{address}/24", "dev", name)
            for device in (name, "lo"):
                self.ip("-n", name, "link", "set", device, "up")
        return self

    def __exit__(self, *error: object) -> None:
        for name in ("chaos0", "chaos1"):
            self.ip("netns", "del", name)

    def ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)

    @staticmethod
    def enter(rank: int) -> None:
        """Move this process to a machine."""
        clone_newnet = 0x40000000
        with Path(f"/run/netns/chaos{rank}").open() as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), clone_newnet):
                raise OSError(ctypes.get_errno(), "setns")
        os.environ |= {"GLOO_SOCKET_IFNAME": f"chaos{rank}", "MASTER_ADDR": Machines.ADDRESSES[0]}


def started(values: dict[str, Any], path: Path, processes: int, machines: bool) -> list[int]:
    """The process ids of a training into `path`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    pids = []
    for rank in range(processes):
        pid = os.fork()
        if pid == 0:
            if processes > 1:
                os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes)}
                os.environ |= {"LOCAL_WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            if machines:
                Machines.enter(rank)
                os.environ |= {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
            os._exit(trained(values, path))
        pids.append(pid)
    return pids


def trained(values: dict[str, Any], path: Path) -> int:
    """Train in this process; the exit code, as the command line has it."""
    from hf_tasks import recipe, training
    from hf_tasks.core.signals import Interrupted
    from hf_tasks.runs.staged_run import StagedRun

    StagedRun.verify = lambda *_: None  # type: ignore[method-assign]  # a process of its own, which takes seconds
    log = os.open(f"{path}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1), os.dup2(log, 2)
    training_values = values["training"] | {"output_dir": str(path)}
    try:
        training.train(recipe.from_dict(values | {"training": training_values}))
    except Interrupted as e:
        print(e, file=sys.stderr)
        return e.exit_code
    except BaseException as e:
        print(type(e).__name__, e, file=sys.stderr)
        return 1
    return 0


def ended(pids: list[int], patience: float = 5) -> list[int]:
    """The exit codes of processes; what goes on after one of them has failed is ended, as torchrun does."""
    codes: dict[int, int] = {}
    deadline = None
    while len(codes) < len(pids):
        for pid in [pid for pid in pids if pid not in codes]:
            if os.waitpid(pid, os.WNOHANG)[0]:
                codes[pid] = 0
        if codes and deadline is None:
            deadline = time.monotonic() + patience
        if deadline and time.monotonic() > deadline:
            for pid in [pid for pid in pids if pid not in codes]:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
    return list(codes.values())


def phase(path: Path) -> str:
    """What a training was doing when it was hit, from what is on the disk."""
    if (path / "unfinished").exists():
        return "while the run was saved"
    folders = list((path / "checkpoints").glob("checkpoint-*"))
    if any(not (folder / "manifest.json").exists() for folder in folders):
        return "within a checkpoint"
    return "between checkpoints" if folders else "before the first checkpoint"


def outcome(path: Path) -> dict[str, Any]:
    results = json.loads((path / "results.json").read_text(encoding="utf-8"))
    log = [json.loads(line) for line in (path / "training_log.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "weights": hashlib.sha256((path / "model.safetensors").read_bytes()).hexdigest(),
        "validation": results["validation"],
        "evaluations": [(row["step"], row["eval_loss"]) for row in log if "eval_loss" in row],
        "steps": (results["training"]["steps"], results["training"]["best_step"]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--machines", action="store_true")
    options = parser.parse_args()
    with Machines() if options.machines else contextlib.nullcontext():
        return survive(options.kills, 2 if options.machines else options.processes, options.machines, options.seed)


def survive(kills: int, processes: int, machines: bool, seed: int) -> int:
    """The exit code."""
    import torch

    import hf_tasks.training  # noqa: F401  (once, before the forks)

    torch.set_num_threads(1)
    chance, hits = random.Random(seed), collections.Counter[str]()
    kinds, runs, different, folder = collections.Counter[str](), 0, 0, Path(tempfile.mkdtemp())
    values = build(folder)
    begun = time.monotonic()
    ended(started(values, folder / "undisturbed", processes, machines))
    duration, expected = time.monotonic() - begun, outcome(folder / "undisturbed")
    print(
        f"undisturbed: {duration:.1f} s, {expected['steps'][0]} steps, weights {expected['weights'][:16]}", flush=True
    )
    while hits.total() < kills:
        path = folder / f"run{runs}"
        for _ in range(200):
            if (path / "results.json").exists():
                break
            pids = started(values, path, processes, machines)
            until = time.monotonic() + chance.uniform(0.1, 1.0) * duration
            while time.monotonic() < until and not (path / "results.json").exists():
                time.sleep(0.002)
            if (path / "results.json").exists():
                duration *= 0.8  # faster than it was thought to be: hit earlier
            elif hits.total() < kills:
                kind = chance.choice(SIGNALS)
                os.kill(chance.choice(pids), kind)
                hits[phase(path)] += 1
                kinds[kind.name] += 1
            ended(pids)
        runs += 1
        same = outcome(path) == expected
        different += not same
        print(f"run {runs}: {hits.total()} hits so far, {'identical' if same else 'DIFFERENT'}", flush=True)
    for name, count in [*hits.most_common(), *kinds.most_common()]:
        print(f"  {name}: {count}")
    print(f"{hits.total()} hits in {runs} runs, {different} of them came out different")
    if not different:
        shutil.rmtree(folder)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
