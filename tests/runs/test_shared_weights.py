"""Several runs in memory: one base, held once."""

import shutil
from pathlib import Path

import pytest
import torch
from conftest import Tiny
from test_export import IDS, run_of

import hf_tasks
from hf_tasks.core.errors import RunError
from hf_tasks.runs.run import Run
from hf_tasks.runs.shared_weights import SMALL

WORDS = "embeddings.word_embeddings.weight"


def bytes_held(*runs: Run) -> int:
    """Of tensors of some size, each counted once."""
    parameters = [p for run in runs for p in run.model.parameters() if p.numel() >= SMALL]
    return sum({p.data_ptr(): p.numel() * p.element_size() for p in parameters}.values())


def test_runs_share_their_base(tiny: Tiny, tmp_path: Path) -> None:
    methods = {"a": "lora", "b": "bitfit", "c": "lora"}
    for name, method in methods.items():
        run_of(tiny("bert"), tmp_path / name, {"name": method})
    alone = {name: Run.load(tmp_path / name) for name in methods}
    runs = hf_tasks.load_runs({name: tmp_path / name for name in methods})

    tables = [p.data_ptr() for run in runs.values() for n, p in run.model.named_parameters() if n.endswith(WORDS)]
    assert len(tables) == 3
    assert len(set(tables)) == 1
    own = sum(
        p.numel() * p.element_size()
        for run in runs.values()
        for n, p in run.model.named_parameters()
        if p.numel() >= SMALL and ("modules_to_save" in n or (p.requires_grad and "lora" not in n))
    )
    assert bytes_held(*runs.values()) <= bytes_held(alone["b"]) + own
    with torch.no_grad():
        for name, run in runs.items():
            assert torch.equal(run.model(IDS).logits, alone[name].model(IDS).logits)
    assert not torch.equal(runs["a"].model(IDS).logits, runs["b"].model(IDS).logits)


def test_other_bases_stay_apart(tiny: Tiny, tmp_path: Path) -> None:
    run_of(tiny("bert"), tmp_path / "a", {"name": "lora"})
    run_of(tiny("roberta"), tmp_path / "b", {"name": "lora"})
    runs = hf_tasks.load_runs({"a": tmp_path / "a", "b": tmp_path / "b"})
    assert bytes_held(*runs.values()) == bytes_held(runs["a"]) + bytes_held(runs["b"])


def test_a_base_that_changed_or_went_away(tiny: Tiny, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    base = tmp_path / "base"
    shutil.copytree(tiny("bert"), base)
    for name in ("lora", "bitfit"):
        run_of(base, tmp_path / name, {"name": name})
    weights = load_file(base / "model.safetensors")
    save_file({**weights, WORDS: weights[WORDS] + 1}, base / "model.safetensors", metadata={"format": "pt"})
    for name in ("lora", "bitfit"):
        with pytest.raises(RunError, match=f"the weights of {base} are not those .*; restore that checkp"):
            _ = Run.load(tmp_path / name).model
    shutil.rmtree(base)
    for name in ("lora", "bitfit"):
        message = f"{tmp_path / name}: the run has only trained parameters and its base is missing: "
        with pytest.raises(RunError) as caught:
            _ = Run.load(tmp_path / name).model
        assert str(caught.value).startswith(f"{message}model.name_or_path: there is no folder {base}; give a folder,")
