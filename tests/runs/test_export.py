"""A run's model as one plain checkpoint."""

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Tiny
from typer.testing import CliRunner

from hf_tasks import cli
from hf_tasks.core.errors import RunError
from hf_tasks.models.load import load_tokenizer
from hf_tasks.recipe import from_dict, to_yaml
from hf_tasks.runs import model_files
from hf_tasks.runs.export import export
from hf_tasks.runs.run import Run

IDS = torch.tensor([[2, 9, 10, 11, 12, 3]])


def run_of(base: Path, folder: Path, method: dict[str, Any], **model: Any) -> Run:
    """A run of an untrained model with random parameters where training would have changed some."""
    recipe = from_dict(
        {
            "name": "small",
            "task": {"name": "text-classification", "labels": ["no", "yes"], "metrics": ["accuracy"]},
            "data": {"train": "x.jsonl"},
            "model": {"name_or_path": str(base), **model},
            "method": method,
        }
    )
    tokenizer = load_tokenizer(recipe.model, recipe.task)
    torch.manual_seed(0)
    made = model_files.build_model(recipe, tokenizer)
    for parameter in made.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn_like(parameter)
    folder.mkdir()
    model_files.save(recipe, made, folder)
    tokenizer.save_pretrained(folder)
    (folder / "recipe.yaml").write_text(to_yaml(recipe), encoding="utf-8")
    return Run.load(folder)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_half_the_size(tiny: Tiny, tmp_path: Path, method: str) -> None:
    from transformers import AutoModelForSequenceClassification

    run = run_of(tiny("bert"), tmp_path / "run", {"name": method})
    result = CliRunner().invoke(
        cli.app, ["export", str(run.path), str(tmp_path / "half"), "--merge", "--dtype", "bfloat16"]
    )
    assert result.exit_code == 0, result.output
    export(run, tmp_path / "whole", merge=True)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "half").eval()
    assert plain.dtype == torch.bfloat16
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("half", "whole")]
    assert sizes[0] / sizes[1] == pytest.approx(0.5, abs=0.02)
    with torch.no_grad():
        difference = (plain(IDS).logits.float() - run.model(IDS).logits).abs().max()
    assert 0 < difference < 0.05


@pytest.mark.parametrize("name", ["lora", "dora", "ia3", "bitfit", "full"])
def test_the_checkpoint_is_plain_and_computes_the_same(tiny: Tiny, tmp_path: Path, name: str) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    run = run_of(tiny("bert"), tmp_path / "run", {"name": name})
    difference = export(run, tmp_path / "plain", merge=True)
    assert difference < 1e-5

    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "plain").eval()
    base = AutoModelForSequenceClassification.from_pretrained(tiny("bert"), num_labels=2)
    assert plain.state_dict().keys() == base.state_dict().keys()
    assert plain.config.id2label == {0: "no", 1: "yes"}
    with torch.no_grad():
        torch.testing.assert_close(plain(IDS).logits, run.model(IDS).logits, atol=1e-5, rtol=0)
    assert AutoTokenizer.from_pretrained(tmp_path / "plain")("a b")["input_ids"] == run.tokenizer("a b")["input_ids"]
    card = (tmp_path / "plain" / "README.md").read_text(encoding="utf-8")
    assert f"adapted by {name} and written as one plain model" in card


def test_what_has_no_plain_form_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "plain"
    for i, (method, model, message) in enumerate(
        [
            ({"name": "bottleneck-adapter"}, {}, "method.name: a bottleneck-adapter cannot be merged"),
            ({"name": "prompt-tuning"}, {}, "method.name: no plain model computes what prompt-tuning has learned"),
            (
                {"name": "frozen"},
                {"weighted_layers": True},
                "model.weighted_layers: transformers has no model",
            ),
        ]
    ):
        run = run_of(tiny("bert"), tmp_path / f"run{i}", method, **model)
        with pytest.raises(RunError, match=message):
            export(run, out, merge=True)
        assert not out.exists()


def test_a_merge_that_is_not_exact_leaves_nothing(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(tiny("bert"), tmp_path / "run", {"name": "lora"})
    monkeypatch.setattr(type(run.recipe.method), "merge", lambda _, model: model.unload())
    with pytest.raises(RunError, match=r"merged weights change the outputs \(max difference 0\.\d+\); use the"):
        export(run, tmp_path / "plain", merge=True)
    assert not (tmp_path / "plain").exists()


def test_the_command(tiny: Tiny, tmp_path: Path) -> None:
    run = run_of(tiny("bert"), tmp_path / "run", {"name": "lora"})
    with pytest.raises(RunError) as caught:
        export(run, tmp_path / "plain", merge=False)
    assert str(caught.value) == f"{tmp_path / 'run'}: the run is an adapter for {tiny('bert')}; add --merge"
    done = CliRunner().invoke(cli.app, ["export", str(tmp_path / "run"), str(tmp_path / "plain"), "--merge"])
    assert done.exit_code == 0, done.output
    assert "loads with transformers alone; its outputs differ from the run's by" in done.stdout
    with pytest.raises(RunError, match="plain: exists; name a new folder"):
        export(run, tmp_path / "plain", merge=True)
