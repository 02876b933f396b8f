"""What a GPU has to compute as a CPU does, and how fast: one table, without network, in a few minutes.

    python benchmarks/accelerator.py [--rows 4000] [--device cuda|cpu]

Every task is trained on the GPU and on the CPU in float32 from the same tiny checkpoint without dropout, and the losses
are compared; then in bfloat16 and float16, with every kind of method, interrupted and resumed, with a batch that does
not fit into memory, compiled, and on two GPUs where there are two. Texts are generated on both devices. Training speed
is measured against transformers' Trainer at its defaults and at its best setting (batches grouped by length, dynamic
padding, bfloat16). Exit status 1 where something differs. `--device cpu` runs all that needs no GPU.
"""

import argparse
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import conftest  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
import trained  # noqa: E402
from transformers import TrainerCallback  # noqa: E402

from hf_tasks.core.signals import Interrupted  # noqa: E402
from hf_tasks.recipe import from_dict  # noqa: E402
from hf_tasks.runs.run import Run  # noqa: E402
from hf_tasks.training import train  # noqa: E402

METHODS = ("frozen", "bitfit", "gradual-unfreezing", "bottleneck-adapter", "lora")
EXACT, ROUNDED = 1e-3, 5e-2
"""Largest relative differences of losses between devices in float32, and between precisions."""
LONG = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024}
MINILM = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}


@dataclass(frozen=True)
class Place:
    """A folder of tiny checkpoints and runs."""

    folder: Path
    device: str

    def checkpoint(self, architecture: str, name: str = "", **sizes: Any) -> Path:
        """A checkpoint without dropout; `sizes`: of a larger BERT with 512 positions."""
        folder = self.folder / (name or architecture)
        if not folder.exists():
            folder.mkdir()
            conftest._build(architecture, folder)
            config = json.loads((folder / "config.json").read_text())
            config |= {key: 0.0 for key in config if "drop" in key and isinstance(config[key], float)}
            (folder / "config.json").write_text(json.dumps(config | sizes))
            if sizes:
                from transformers import AutoConfig, AutoModel, AutoTokenizer

                AutoModel.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)
                tokenizer = AutoTokenizer.from_pretrained(folder)
                tokenizer.model_max_length = 512
                tokenizer.save_pretrained(folder)
        return folder

    def run(self, kind: str, *, cpu: bool = False, callbacks: Any = (), **sections: Any) -> Run:
        """A training of two epochs on 16 rows, or what `sections` change; the same name goes on where it was."""
        name = sections.pop("name", f"run-{len(list(self.folder.iterdir()))}")
        for split, numbers in {"train": range(16), "validation": range(16, 22)}.items():
            rows = "".join(json.dumps(trained.row(kind, i)) + "\n" for i in numbers)
            (self.folder / f"{kind}-{split}.jsonl").write_text(rows, encoding="utf-8")
        training = {
            "num_train_epochs": 2, "batch_size": 8, "bf16": False, "logging_steps": 1, "learning_rate": 1e-3,
            "output_dir": str(self.folder / name), "use_cpu": cpu or self.device == "cpu",
        } | sections.pop("training", {})  # fmt: skip
        architecture = trained.ARCHITECTURES.get(kind, "bert")
        recipe = {
            "name": name, "task": trained.TASKS[kind] | {"max_length": 32},
            "data": {split: str(self.folder / f"{kind}-{split}.jsonl") for split in ("train", "validation")},
            "model": {"name_or_path": str(self.checkpoint(architecture))}, "training": training,
        } | sections  # fmt: skip
        return train(from_dict(recipe), callbacks=callbacks)


def losses(run: Run) -> list[float]:
    rows = (json.loads(line) for line in (run.path / "training_log.jsonl").read_text(encoding="utf-8").splitlines())
    return [row["loss"] for row in rows if "loss" in row]


def difference(a: Run, b: Run) -> float:
    """Largest relative difference of the losses of two trainings."""
    return max(abs(x - y) / max(abs(x), 1e-3) for x, y in zip(losses(a), losses(b), strict=True))


def tasks(place: Place) -> Iterator[tuple[str, str, bool]]:
    for kind in trained.TASKS:
        on_cpu, on_device = place.run(kind, cpu=True), place.run(kind)
        found = difference(on_cpu, on_device)
        yield f"{kind}: float32 against the CPU", f"losses differ by {found:.1e}", found < EXACT
        for precision in ("bf16", "fp16") if place.device == "cuda" else ("bf16",):
            run = place.run(kind, training={precision: True})
            found = difference(on_cpu, run)
            yield f"{kind}: {precision}", f"losses differ by {found:.1e}", found < ROUNDED
        if on_cpu.recipe.decoding:
            yield generation(place, kind, on_cpu)


def generation(place: Place, kind: str, run: Run) -> tuple[str, str, bool]:
    """The texts of each decoding on both devices, from the same model."""
    inputs = [
        {key: value for key, value in trained.row(kind, i).items() if key in run.recipe.task.columns.required}
        for i in range(30)
    ]
    shares = {}
    for decoding in ("greedy", "beam", "sample", "mbr"):
        texts = []
        for device in ("cpu", place.device):
            loaded = Run.load(run.path, [f"decoding.name={decoding}"])
            loaded.model.to(device)
            texts.append([row["prediction"] for row in loaded.predict(inputs)])
        shares[decoding] = sum(a == b for a, b in zip(*texts, strict=True)) / len(inputs)
    found = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    return f"{kind}: equal texts", found, min(shares.values()) >= 0.9


def methods(place: Place) -> Iterator[tuple[str, str, bool]]:
    for method in METHODS:
        runs = [place.run("label", cpu=cpu, method={"name": method}) for cpu in (True, False)]
        found = difference(*runs)
        yield f"method {method}", f"losses differ by {found:.1e}", found < EXACT


class Interruption(TrainerCallback):
    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def resume(place: Place) -> Iterator[tuple[str, str, bool]]:
    whole = place.run("label")
    try:
        place.run("label", name="resumed", callbacks=[Interruption()])
    except Interrupted:
        again = place.run("label", name="resumed")
        same = (whole.path / "model.safetensors").read_bytes() == (again.path / "model.safetensors").read_bytes()
        yield "interrupted and resumed", "equal weights" if same else f"losses {difference(whole, again):.1e}", same
    else:
        yield "interrupted and resumed", "the signal was not answered", False


def memory(place: Place) -> Iterator[tuple[str, str, bool]]:
    """A batch that does not fit is divided, and the losses stay."""
    base = {"model": {"name_or_path": str(place.checkpoint("bert", "long", max_position_embeddings=512, **LONG))}}
    rows = "".join(json.dumps({"text": "a good film " * 150, "label": ("no", "yes")[i % 2]}) + "\n" for i in range(64))
    (place.folder / "long.jsonl").write_text(rows, encoding="utf-8")
    base |= {"task": {"name": "text-classification", "max_length": 512}}
    base |= {"data": {"train": str(place.folder / "long.jsonl"), "validation_size": 0}}
    training = {"training": {"batch_size": 64, "max_steps": 2}}
    fits = place.run("label", **base, **training)
    torch.cuda.empty_cache()
    most = torch.cuda.max_memory_allocated() / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(most * 0.6)
    try:
        divided = place.run("label", **base, **training)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    found = difference(fits, divided)
    yield "a batch that does not fit", f"losses differ by {found:.1e}", found < EXACT


def compiled(place: Place) -> Iterator[tuple[str, str, bool]]:
    found = difference(place.run("label"), place.run("label", training={"torch_compile": True}))
    yield "torch.compile", f"losses differ by {found:.1e}", found < EXACT


def two_devices(place: Place) -> Iterator[tuple[str, str, bool]]:
    one = place.run("label")
    recipe = place.folder / "two.yaml"
    recipe.write_text((one.path / "recipe.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, "-m", "hf_tasks", "train", str(recipe), "-o", str(place.folder / "two")]
    done = subprocess.run([*command, "--num-processes", "2"], capture_output=True, text=True, check=False)
    if done.returncode:
        yield "two GPUs (NCCL)", done.stderr.strip().splitlines()[-1][:60], False
        return
    found = difference(one, Run.load(place.folder / "two"))
    yield "two GPUs (NCCL)", f"losses differ by {found:.1e}", found < EXACT


def speed(place: Place, rows: int) -> Iterator[tuple[str, str, bool]]:
    """Examples a second of one epoch, MiniLM's sizes, texts of 5 to 120 words."""
    draw = random.Random(0)
    texts = [" ".join(draw.choices(conftest.WORDS, k=int(5 * 24 ** draw.random()))) for _ in range(rows)]
    checkpoint = place.checkpoint("bert", "minilm", max_position_embeddings=512, **MINILM)
    data = "".join(json.dumps({"text": text, "label": ("no", "yes")[i % 2]}) + "\n" for i, text in enumerate(texts))
    (place.folder / "speed.jsonl").write_text(data, encoding="utf-8")
    figures = {
        "Trainer, its defaults": of_trainer(place, checkpoint, texts, best=False),
        "Trainer, its best setting": of_trainer(place, checkpoint, texts, best=True),
    }
    run = place.run(
        "label", task={"name": "text-classification", "max_length": 128}, model={"name_or_path": str(checkpoint)},
        data={"train": str(place.folder / "speed.jsonl"), "validation_size": 0},
        training={"batch_size": 32, "num_train_epochs": 1, "bf16": True, "logging_steps": 500},
    )  # fmt: skip
    ours = run.results["training"]["samples_per_second"]
    for name, figure in figures.items():
        yield f"speed: {name}", f"{figure:.0f} examples/s", True
    best = figures["Trainer, its best setting"]
    yield "speed: hf_tasks", f"{ours:.0f} examples/s, {ours / best:.2f} x the best setting", ours > 0.95 * best


def of_trainer(place: Place, checkpoint: Path, texts: list[str], *, best: bool) -> float:
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        default_data_collator,
    )

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    padding = {} if best else {"padding": "max_length"}
    features = Dataset.from_dict(dict(tokenizer(texts, max_length=128, truncation=True, **padding)))
    features = features.add_column("labels", [i % 2 for i in range(len(texts))])
    options = {"bf16": True, "train_sampling_strategy": "group_by_length"} if best else {}
    args = TrainingArguments(
        str(place.folder / f"trainer-{best}"), num_train_epochs=1, per_device_train_batch_size=32, report_to="none",
        save_strategy="no", disable_tqdm=True, use_cpu=place.device == "cpu", dataloader_pin_memory=False, **options,
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint, num_labels=2)
    collator = DataCollatorWithPadding(tokenizer) if best else default_data_collator
    trained = Trainer(model, args, collator, features).train()
    return float(trained.metrics["train_samples_per_second"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4000, help="texts for the measurement of speed")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    conftest.hasten(pytest.MonkeyPatch())
    logging.disable(logging.WARNING)
    started, failed = time.perf_counter(), 0
    name = torch.cuda.get_device_name() if given.device == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}", flush=True)
    checks: list[Callable[[Place], Iterator[tuple[str, str, bool]]]] = [tasks, methods, resume]
    if given.device == "cuda":
        checks += [memory, compiled]
    if torch.cuda.device_count() > 1:
        checks.append(two_devices)
    checks.append(lambda place: speed(place, given.rows))
    with tempfile.TemporaryDirectory() as folder:
        for check in checks:
            with (Path(folder) / "log").open("a") as log, redirect_stderr(log):
                for what, found, good in check(Place(Path(folder), given.device)):
                    failed += not good
                    print(f"{'ok  ' if good else 'FAIL'}  {what:44} {found}", flush=True)
    print(f"{time.perf_counter() - started:.0f} s, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
