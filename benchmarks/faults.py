"""Fail, or kill at, the n-th of all calls by which a training changes files; the same command must then end the same.

python benchmarks/faults.py                     every distinct state of the disk, and every call that fails (hours)
python benchmarks/faults.py --minutes 20        as many of them as fit, drawn by --seed
python benchmarks/faults.py --commands 10       whole processes of `hf-tasks train`, killed at the n-th call
python benchmarks/faults.py --launchers 10      two processes, whose launcher is killed at the n-th call

A library that is preloaded (faults.c, compiled by cc) counts the calls of the C library below the run's folder: open,
write, rename, unlink, mkdir, fsync and the like, of Python, PyTorch, safetensors, tokenizers. One training is stopped
before each call, and its folder copied: that is what kill -9 would leave there. From each different copy the same
command goes on. Then each call fails once, with ENOSPC, EDQUOT or EIO, and all later ones that need room on the disk.
Trainings are compared exactly: weights, predictions, evaluations, results, the names of all files.
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
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ERRORS = {"ENOSPC": 28, "EDQUOT": 122, "EIO": 5}
METHODS: dict[str, dict[str, Any]] = {
    "full": {}, "lora": {"r": 4, "lora_dropout": 0.1}, "bitfit": {}, "frozen": {},
    "gradual-unfreezing": {"epochs_per_block": 1}, "bottleneck-adapter": {},
}  # fmt: skip
WORDS = ["good", "bad", "slow", "fast", "film", "book", "card", "phone"]
COMMAND = [sys.executable, "-m", "hf_tasks", "train"]


def build(folder: Path, method: str) -> Path:
    """A recipe's file: a tiny BERT with dropout, 30 rows, 2 epochs of 3 steps, an evaluation and a checkpoint each."""
    import torch
    import yaml
    from transformers import BertConfig, BertModel, BertTokenizer

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, model_max_length=32).save_pretrained(folder / "m")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(pieces), max_position_embeddings=32, **sizes)).save_pretrained(folder / "m")
    texts = [" ".join(WORDS[(i * k) % 8] for k in range(1, 2 + i % 9)) for i in range(30)]
    rows = [{"text": text, "label": ("yes", "no")[i % 2]} for i, text in enumerate(texts)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe = {
        "name": "faults",
        "task": {"name": "text-classification"},
        "data": {"train": str(folder / "rows.jsonl"), "validation_size": 0.3},
        "model": {"name_or_path": str(folder / "m")},
        "method": {"name": method, **METHODS[method]},
        "training": {"batch_size": 8, "num_train_epochs": 2, "learning_rate": 5e-3, "logging_steps": 1, "bf16": False},
        "early_stopping": {"early_stopping_patience": 12},
    }
    path = folder / f"{method}.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    return path


class Library:
    """The preloaded library. This process runs under it, with all its counting off; what it starts may switch it on."""

    def __init__(self, folder: Path) -> None:
        self.file, self.counter = folder / "faults.so", folder / "counter"

    def compile(self) -> None:
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.file, source, "-ldl"], check=True)

    def environment(self, root: Path, what: str) -> dict[str, str]:
        self.counter.write_bytes(bytes(8))
        return {"FAULTS_DO": what, "FAULTS_ROOT": str(root), "FAULTS_COUNTER": str(self.counter)}

    @property
    def count(self) -> int:
        return int.from_bytes(self.counter.read_bytes(), sys.byteorder)


class Trainings:
    """Trainings of one recipe into one folder, each in a fork of this process."""

    def __init__(self, recipe: Path, library: Library) -> None:
        self.recipe, self.library, self.run = recipe, library, recipe.parent / "run"
        self.log = recipe.parent / "log.txt"

    def start(self, what: str = "count") -> int:
        """The process id of `hf-tasks train`, with all its code but the process of its own that verifies the run."""
        environment = self.library.environment(self.run, what)
        pid = os.fork()
        if pid:
            return pid
        file = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1), os.dup2(file, 2)
        os.environ |= environment
        ctypes.CDLL(None).faults_begin()
        from hf_tasks import cli
        from hf_tasks.runs import run

        run.Run.verify = lambda *_: None  # type: ignore[method-assign]
        sys.argv = ["hf-tasks", "train", str(self.recipe), "-o", str(self.run)]
        try:
            cli.main()
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
            code = 1
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code)

    def end(self, pid: int) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def outcome(self) -> dict[str, Any] | str:
        """What must not depend on what happened; or what is wrong with the folder."""
        try:
            return outcome(self.run)
        except (OSError, ValueError, KeyError) as e:
            return f"{type(e).__name__} {e}"

    def states(self, folder: Path) -> list[Path]:
        """A copy of each different state of the run's folder that a training passes."""
        pid, seen, found = self.start("stop"), set(), list[Path]()
        while os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]):
            state = digest(self.run)
            if state not in seen:
                seen.add(state)
                found.append(folder / f"{self.library.count:05}")
                if self.run.exists():
                    shutil.copytree(self.run, found[-1], symlinks=True)
            os.kill(pid, signal.SIGCONT)
        return found

    def goes_on(self, state: Path | None) -> tuple[int, dict[str, Any] | str]:
        """(exit code, outcome) of the same command on a state; None: the folder as it is."""
        if state is not None:
            shutil.rmtree(self.run, ignore_errors=True)
            if state.exists():
                shutil.copytree(state, self.run, symlinks=True)
        return self.end(self.start()), self.outcome()


def digest(folder: Path) -> str:
    """Names and contents of all files and folders. (The seconds that a training took are part of them.)"""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b"/"
        found.update(path.relative_to(folder).as_posix().encode() + b"\0" + hashlib.sha256(content).digest())
    return found.hexdigest()


def outcome(run: Path) -> dict[str, Any]:
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    log = [json.loads(line) for line in (run / "training_log.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "weights": {path.name: tensors(path) for path in sorted(run.glob("*.safetensors"))},
        "predictions": (run / "predictions" / "validation.jsonl").read_text(encoding="utf-8"),
        "validation": results["validation"],
        "evaluations": [(row["step"], row["eval_loss"]) for row in log if "eval_loss" in row],
        "steps": (results["training"]["steps"], results["training"]["best_step"]),
        "files": sorted(path.relative_to(run).as_posix() for path in run.rglob("*")),
        "status": json.loads((run / "status.json").read_text(encoding="utf-8"))["status"],
    }


def tensors(path: Path) -> str:
    from safetensors.numpy import load_file

    found = sorted(load_file(path).items())
    return hashlib.sha256(b"".join(name.encode() + tensor.tobytes() for name, tensor in found)).hexdigest()


class Tally:
    """What came of the trials of one kind, and a line for each that went wrong."""

    def __init__(self, name: str, deadline: float) -> None:
        self.name, self.deadline, self.counts, self.wrong = name, deadline, collections.Counter[str](), 0

    def drawn(self, of: list[Any], chance: random.Random, most: int | None = None) -> Iterator[Any]:
        """The trials, in a drawn order, as long as there is time."""
        order = chance.sample(of, len(of))[:most]
        for one in order:
            if time.monotonic() > self.deadline:
                break
            yield one
        print(f"{self.name}: {sum(self.counts.values())} of {len(of)} tried, {self.wrong} went wrong", flush=True)
        for name, count in self.counts.most_common():
            print(f"  {count:5} {name}", flush=True)

    def note(self, what: str, right: bool, place: object, more: str = "") -> None:
        self.counts[what] += 1
        if not right:
            self.wrong += 1
            print(f"WRONG {self.name} {place}: {what} {more}", flush=True)


def try_states(trainings: Trainings, expected: Any, tally: Tally, chance: random.Random, most: int | None) -> None:
    with tempfile.TemporaryDirectory(dir=trainings.recipe.parent) as folder:
        shutil.rmtree(trainings.run, ignore_errors=True)
        for state in tally.drawn(trainings.states(Path(folder)), chance, most):
            code, found = trainings.goes_on(state)
            same = code == 0 and found == expected
            tally.note("identical" if same else "different", same, state.name, _why(code, found, expected, trainings))


def try_failures(
    trainings: Trainings, expected: Any, calls: int, tally: Tally, chance: random.Random, most: int | None
) -> None:
    for n in tally.drawn(list(range(1, calls + 1)), chance, most):
        name, number = chance.choice(list(ERRORS.items()))
        shutil.rmtree(trainings.run, ignore_errors=True)
        code = trainings.end(trainings.start(f"fail {n} {number}"))
        said, status = trainings.log.read_text(encoding="utf-8"), _status(trainings.run)
        messages = [line for line in said.splitlines() if line.startswith("error")]
        plain = "Traceback" not in said and (code == 0 or (code == 2 and len(messages) == 1))
        if not plain or status == "running" or (status == "finished") != (code == 0):
            tally.note(f"no plain answer to {name}", False, n, f"exit code {code}, status {status}: {said[-1500:]}")
            continue
        code, found = trainings.goes_on(None)
        same = code == 0 and found == expected
        what = f"{name}: {'one message' if messages else 'not needed'}, then identical" if same else "different"
        tally.note(what, same, n, _why(code, found, expected, trainings))


def try_commands(
    trainings: Trainings, calls: int, tally: Tally, chance: random.Random, most: int, processes: int
) -> None:
    """Whole processes; of two, their launcher is killed, and they must end by themselves."""
    library, run = trainings.library, trainings.run
    options = ["-o", str(run), *(["--num-processes", str(processes)] if processes > 1 else [])]
    command = [*COMMAND, str(trainings.recipe), *options]
    shutil.rmtree(run, ignore_errors=True)
    subprocess.run(command, check=True, capture_output=True)
    expected = outcome(run)
    for n in tally.drawn(list(range(1, calls + 1)), chance, most):
        shutil.rmtree(run)
        environment = os.environ | library.environment(run, f"kill {n}") | {"LD_PRELOAD": str(library.file)}
        shell = "FAULTS_PID=$$ exec" if processes > 1 else "exec"
        first = subprocess.run(["sh", "-c", f'{shell} "$@"', "sh", *command], env=environment, capture_output=True)
        begun = time.monotonic()
        while _alive(run) and time.monotonic() - begun < 60:
            time.sleep(0.1)
        waited = time.monotonic() - begun
        if waited > 20:
            tally.note("did not end", False, n, f"{waited:.0f} s")
            continue
        second = subprocess.run(command, capture_output=True, text=True)
        same = second.returncode == 0 and outcome(run) == expected
        place = f"killed ({first.returncode}), all ended, " if first.returncode else "not reached, "
        tally.note(f"{place}{'identical' if same else 'different'}", same, n, second.stderr[-1500:])
        print(f"  call {n}: all processes had ended after {waited:.1f} s", flush=True)


def _alive(run: Path) -> bool:
    """Whether any process trains into this folder."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            arguments = file.read_bytes().split(b"\0")
            if str(run).encode() in b" ".join(arguments) and b"hf_tasks" in arguments:
                return True
    return False


def _status(run: Path) -> str | None:
    try:
        return str(json.loads((run / "status.json").read_text(encoding="utf-8"))["status"])
    except (OSError, ValueError):
        return None


def _why(code: int, found: Any, expected: Any, trainings: Trainings) -> str:
    if isinstance(found, dict):
        return f"exit code {code}; other {', '.join(key for key in expected if found[key] != expected[key])}"
    return f"exit code {code}; {found}; {trainings.log.read_text(encoding='utf-8')[-1500:]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=["full"], choices=METHODS)
    parser.add_argument("--minutes", type=float, default=1e6, help="for the states, and for the failures, of a method")
    parser.add_argument("--trials", type=int, help="of the states, and of the failures; without it, all")
    parser.add_argument("--commands", type=int, default=0)
    parser.add_argument("--launchers", type=int, default=0)
    parser.add_argument("--no-forks", action="store_true", help="only --commands and --launchers")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if "faults.so" not in os.environ.get("LD_PRELOAD", ""):
        return _preloaded()
    library = Library(Path(os.environ["LD_PRELOAD"]).parent)
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    del os.environ["LD_PRELOAD"]
    wrong = sum(_try(method, library, options) for method in options.methods)
    return 1 if wrong else 0


def _preloaded() -> int:
    """This program again, under the library. The exit code."""
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder))
        library.compile()
        return subprocess.run(
            [sys.executable, *sys.argv], env=os.environ | {"LD_PRELOAD": str(library.file)}
        ).returncode


def _try(method: str, library: Library, options: argparse.Namespace) -> int:
    """How many trials went wrong."""
    import torch

    import hf_tasks.training  # noqa: F401  (once, before the forks)

    torch.set_num_threads(1)
    chance = random.Random(options.seed)

    def tally(name: str) -> Tally:
        return Tally(f"{method}, {name}", time.monotonic() + options.minutes * 60)

    with tempfile.TemporaryDirectory() as folder:
        trainings = Trainings(build(Path(folder), method), library)
        begun = time.monotonic()
        code, expected = trainings.goes_on(None)
        calls = library.count
        assert code == 0, trainings.log.read_text(encoding="utf-8")
        print(f"{method}: undisturbed {time.monotonic() - begun:.1f} s, {calls} calls that change files", flush=True)
        tallies = [tally("states of the disk"), tally("calls that fail"), tally("commands"), tally("launchers")]
        kinds: list[Callable[[Tally], None]] = [
            lambda tally: try_states(trainings, expected, tally, chance, options.trials),
            lambda tally: try_failures(trainings, expected, calls, tally, chance, options.trials),
        ]
        if options.no_forks:
            kinds = []
        for kind, one in zip(kinds, tallies, strict=False):
            one.deadline = time.monotonic() + options.minutes * 60
            kind(one)
        for most, one, processes in ((options.commands, tallies[2], 1), (options.launchers, tallies[3], 2)):
            if most:
                one.deadline = time.monotonic() + options.minutes * 60
                try_commands(trainings, calls, one, chance, most, processes)
        return sum(one.wrong for one in tallies)


if __name__ == "__main__":
    sys.exit(main())
