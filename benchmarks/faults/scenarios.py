"""What is tried: a command line, the files before it, and what must be there after it, whatever happened."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

WORDS = ["good", "bad", "slow", "fast", "film", "book", "card", "phone"]
TRAININGS: dict[str, dict[str, Any]] = {
    "full": {"training": {"num_train_epochs": 9}},
    "lora": {"method": {"name": "lora", "r": 4, "lora_dropout": 0.1}},
    "bitfit": {"method": {"name": "bitfit"}},
    "frozen": {"method": {"name": "frozen"}},
    "gradual-unfreezing": {"method": {"name": "gradual-unfreezing", "epochs_per_block": 1}},
    "bottleneck-adapter": {"method": {"name": "bottleneck-adapter"}},
    "weighted-layers": {"model": {"weighted_layers": True}},
    "steps": {"training": {"eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps", "save_steps": 1}},
    "seeds": {"seeds": [1, 2]},
    "two-processes": {"training": {"use_cpu": True}},
}
COMMANDS = ("predict", "evaluate", "embed", "export", "verify", "report", "card", "push")
TIMES = re.compile(r"runtime|per_second|seconds|^ended$|memory|^wh$|^watts$")
"""Keys of results and logs that differ between equal trainings."""


@dataclass(frozen=True)
class Scenario:
    """A command line that works below the folder `root`, every call of which is counted."""

    name: str
    root: Path
    command: Sequence[str]
    outcome: Callable[[Path], Mapping[str, Any]]
    """What must not depend on what happened. Raises where files are missing or damaged."""
    before: Path | None = None
    """The content of `root` before the command; None: it is empty."""
    whole: Sequence[str] = ()
    """Files that are whole or are not there, at any moment."""
    repeated: str | None = None
    """What the command says when its work was done already."""

    def prepare(self, state: Path | None = None) -> None:
        """The files before the command, or those of a `state` that it passed."""
        clear(self.root)
        if source := state or self.before:
            shutil.copytree(source, self.root, symlinks=True, dirs_exist_ok=True)


def clear(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()


def build(folder: Path, name: str) -> Path:
    """A recipe's file: a tiny BERT with dropout, 30 rows, epochs of 3 steps with an evaluation and a checkpoint."""
    import torch
    import yaml
    from transformers import BertConfig, BertModel, BertTokenizer

    if not (folder / "m").exists():
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
        tokenizer = BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, model_max_length=32)
        tokenizer.save_pretrained(folder / "m")
        torch.manual_seed(0)
        sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
        BertModel(BertConfig(vocab_size=len(pieces), max_position_embeddings=32, **sizes)).save_pretrained(folder / "m")
        texts = [" ".join(WORDS[(i * k) % 8] for k in range(1, 2 + i % 9)) for i in range(30)]
        rows = [{"text": text, "label": ("yes", "no")[i % 2]} for i, text in enumerate(texts)]
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe: dict[str, dict[str, Any]] = {
        "task": {"name": "text-classification"},
        "data": {"train": str(folder / "rows.jsonl"), "validation_size": 0.3},
        "model": {"name_or_path": str(folder / "m")},
        "training": {"batch_size": 8, "num_train_epochs": 2, "learning_rate": 5e-3, "logging_steps": 1, "bf16": False},
        "early_stopping": {"early_stopping_patience": 2, "early_stopping_threshold": 1.0},
    }
    for section, values in TRAININGS[name].items():
        recipe[section] = {**recipe.get(section, {}), **values} if isinstance(values, dict) else values
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": "faults", **recipe}, sort_keys=False), encoding="utf-8")
    return path


def training(folder: Path, root: Path, name: str) -> Scenario:
    more = ["--num-processes", "2"] if name == "two-processes" else []
    return Scenario(name, root, ["train", str(build(folder, name)), "-o", str(root / "run"), *more], trained)


def command(folder: Path, root: Path, name: str, run: Path) -> Scenario:
    """A command on a finished run, the folder `run`."""
    rows, out = str(folder / "rows.jsonl"), root / "out"
    before = folder / "before"
    if not before.exists():
        shutil.copytree(run, before / "run")
        (before / "out").mkdir()
    lines: dict[str, tuple[list[str], list[str], str | None]] = {
        "predict": ([rows, "-o", str(out / "answers.jsonl")], ["out/answers.jsonl"], "exists already"),
        "evaluate": (["--data", rows], [], None),
        "embed": ([rows, "--model", str(root / "run"), "-o", str(out / "v.npy")], ["out/v.npy"], "exists already"),
        "export": ([str(out / "plain")], ["out/plain"], "exists already"),
        "verify": (["--renew"], [], None),
        "report": (["-o", str(out / "report.html")], ["out/report.html"], None),
        "card": (["--write"], ["run/README.md"], None),
        "push": (["org/name"], [], None),
    }
    arguments, whole, repeated = lines[name]
    place = [] if name == "embed" else [str(root / "run")]
    return Scenario(name, root, [name, *place, *arguments], partial(made, name), before, whole, repeated)


def trained(root: Path) -> dict[str, Any]:
    """The outcome of a training: every file but what differs between equal trainings, the times."""
    from hf_tasks.runs import manifest

    runs = sorted(path.parent for path in root.rglob("recipe.yaml"))
    if not runs or any(manifest.check(run, thorough=True) == 0 for run in runs):
        raise ValueError("there is no manifest")
    found = {name: content(root / name) for name in names(root)}
    return found | {f"status of {run.name}": json.loads((run / "status.json").read_text())["status"] for run in runs}


def made(name: str, root: Path) -> dict[str, Any]:
    """The outcome of a command: every file below `root`, and for `verify` that the manifest is right."""
    if name == "verify":
        from hf_tasks.runs import manifest

        manifest.check(root / "run", thorough=True)
    return {name: content(root / name) for name in names(root)}


def names(root: Path) -> list[str]:
    """All files and folders, but the cache's; those of a command that was killed are leftovers there too."""
    below = (path.relative_to(root).as_posix() for path in sorted(root.rglob("*")))
    return [name for name in below if name != "cache/hashes.json" and name != "cache"]


def content(path: Path) -> str:
    """A hash of a file; of results and logs without times, of files that list such hashes only the kind."""
    if path.is_dir():
        return "folder"
    if path.name in ("manifest.json", "status.json", "environment.json", "trained_here.txt", "README.md"):
        return "file"
    if path.name in ("results.json", "training_log.jsonl", "train_stats.json"):
        values = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()] \
            if path.suffix == ".jsonl" else json.loads(path.read_text(encoding="utf-8"))  # fmt: skip
        return json.dumps(timeless(values), sort_keys=True)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def timeless(value: Any) -> Any:
    match value:
        case dict():
            return {key: timeless(one) for key, one in value.items() if not TIMES.search(key)}
        case list():
            return [timeless(one) for one in value]
    return value
