"""PEFT's types on the tiny BERT: each moves exactly what it promises and comes back the same, or is refused by name."""

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Tiny
from torch import Tensor, nn

from hf_tasks import artifacts
from hf_tasks.errors import RecipeError, RunError
from hf_tasks.methods.peft_types import peft_types
from hf_tasks.models.load import load_tokenizer
from hf_tasks.recipe import Recipe, from_dict

Q_V = "layer.*.attention.self.query layer.*.attention.self.value"
OSF = f"{Q_V} layer.*.attention.self.key layer.*.attention.output.dense layer.*.intermediate.dense layer.*.output.dense"
PROMISED = {
    # the adapted modules of bert.encoder (of both layers, where there is a *), and the new parameters of each
    "adalora": (Q_V, "lora_A lora_B lora_E"),
    "adamss": (Q_V, " ".join(f"adamss_A.{i} adamss_B.{i}" for i in range(5))),
    "beft": ("layer.*.attention.self.value", "beft_bias"),
    "boft": (Q_V, "boft_R boft_s"),
    "c3a": (Q_V, "c3a_kernel"),
    "cartridge": ("", "prompt_encoder.trainable_embedding"),
    "deft": (Q_V, "deft_P deft_R"),
    "delora": (Q_V, "delora_A delora_B delora_lambda"),
    "dora": (Q_V, "lora_A.weight lora_B.weight lora_magnitude_vector.weight"),
    "fourierft": (Q_V, "fourierft_spectrum"),
    "frod": (Q_V, "frod_lambda_l frod_lambda_s_values"),
    "glora": (Q_V, "glora_A.Xd glora_A.Xu glora_B.Xd glora_B.Xu glora_C.Xd glora_C.Xu glora_D.X glora_E.X"),
    "gralora": (Q_V, "gralora_A gralora_B"),
    "hira": (Q_V, "hira_A hira_B"),
    "hra": (Q_V, "hra_u"),
    "ia3": ("layer.*.attention.self.key layer.*.attention.self.value layer.*.attention.output.dense "
            "layer.*.output.dense", "ia3_l"),
    "ln-tuning": ("layer.*.attention.output.LayerNorm layer.*.output.LayerNorm",
                  "ln_tuning_layers.weight ln_tuning_layers.bias"),
    "loha": (Q_V, "hada_w1_a hada_w1_b hada_w2_a hada_w2_b"),
    "lokr": (Q_V, "lokr_w1 lokr_w2"),
    "lora": (Q_V, "lora_A.weight lora_B.weight"),
    "miss": (Q_V, "miss_block"),
    "oft": (Q_V, "oft_R.weight"),
    "osf": (OSF, "osf_svd_params.S_low osf_svd_params.U_low osf_svd_params.V_low"),
    "p-tuning": ("", "prompt_encoder.embedding.weight "
                 + " ".join(f"prompt_encoder.mlp_head.{i}.{part}" for i in (0, 2, 4) for part in ("weight", "bias"))),
    "peanut": (Q_V, "peanut_A.weight peanut_B.weight"),
    "prefix-tuning": ("", "prompt_encoder.embedding.weight"),
    "prompt-tuning": ("", "prompt_encoder.embedding.weight"),
    "psoft": (Q_V, "psoft_R.vector_a psoft_R.vector_b psoft_R.weight"),
    "pvera": (Q_V, "pvera_lambda_b pvera_lambda_d"),
    "randlora": (Q_V, "randlora_gamma randlora_lambda"),
    "road": (Q_V, "road_alpha road_theta"),
    "shira": (Q_V, "shira_weight"),
    "supertuning": (Q_V, "supertuning_values"),
    "unilora": ("layer.0.attention.self.query", "unilora_theta_d"),
    "vera": (Q_V, "vera_lambda_b vera_lambda_d"),
    "waveft": (Q_V, "waveft_spectrum"),
}  # fmt: skip
SHARED_IN_PART = {"lily": 10, "tinylora": 4, "vblora": 9}
"""Types whose layers share parameters in groups: how many new parameters there are."""
TOO_LARGE_FOR_TINY: dict[str, dict[str, Any]] = {
    "c3a": {"block_size": 8},
    "miss": {"r": 4},
    "road": {"group_size": 8},
    "shira": {"r": 2},
    "vblora": {"vector_length": 8, "num_vectors": 8},
    "waveft": {"n_frequency": 64},
}
REFUSED = {
    "adaption-prompt": "it cannot train the new head that the task needs",
    "cpt": "CPTConfig only supports task_type = CAUSAL_LM",
    "multitask-prompt-tuning": "task_ids cannot be None",
    "poly": "task_ids should not be None",
    "shadow": "Unable to automatically find a `nn.ModuleList` of decoder layers",
    "trainable-tokens": "it cannot train the new head that the task needs",
    "xlora": "it cannot train the new head that the task needs",
}
NOT_MERGED = {
    "lily": "method.name: lily cannot be merged into its base exactly: This method is not supported for Lily",
    **{
        name: f"method.name: no plain model computes what {name} has learned; use the run as it is"
        for name in ("cartridge", "p-tuning", "prefix-tuning", "prompt-tuning")
    },
}
WORKING = sorted(PROMISED.keys() | SHARED_IN_PART.keys())
HEAD = {f"{module}.{part}" for module in ("bert.pooler.dense", "classifier") for part in ("weight", "bias")}
IDS = torch.tensor([[2, 9, 10, 11, 12, 13, 3], [2, 14, 15, 16, 17, 18, 3]])


def recipe_of(folder: Path, method: dict[str, Any], task: str = "text-classification", **more: Any) -> Recipe:
    labels = {} if task == "question-answering" else {"labels": ["O", "B-x"]}
    section = {"name": task, "metrics": ["accuracy"], **labels}
    model = {"name_or_path": str(folder)}
    return from_dict(
        {"name": "run", "task": section, "data": {"train": "x.jsonl"}, "model": model, "method": method, **more}
    )


def small(name: str) -> dict[str, Any]:
    return {"name": name, **TOO_LARGE_FOR_TINY.get(name, {})}


def assembled(recipe: Recipe, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return artifacts.assemble(recipe, load_tokenizer(recipe.model, recipe.task))


@pytest.fixture
def biased(tiny: Tiny, tmp_path: Path) -> Path:
    """The tiny BERT with biases that are not zero, as trained ones are."""
    import shutil

    from transformers import AutoModel

    model = AutoModel.from_pretrained(tiny("bert"))
    torch.manual_seed(1)
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(p, std=0.02)
    shutil.copytree(tiny("bert"), tmp_path / "bert")
    model.save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def logits(model: Any) -> Tensor:
    model.eval()
    with torch.no_grad():
        output = model(input_ids=IDS, attention_mask=torch.ones_like(IDS))
    return output.logits if "logits" in output else output.start_logits  # type: ignore[no-any-return]


def step(model: Any, steps: int = 2) -> None:
    """Optimizer steps at a high rate, towards random logits."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    model.train()
    for i in range(steps):
        torch.manual_seed(i)
        output = model(input_ids=IDS, attention_mask=torch.ones_like(IDS))
        values = output.logits if "logits" in output else output.start_logits
        (values * torch.randn_like(values)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()


def promised(name: str) -> set[str]:
    modules, parts = PROMISED[name]
    return {
        f"{'bert.encoder.' if modules else ''}{module.replace('*', str(layer))}.{part}".lstrip(".")
        for module in (modules.split() or [""])
        for layer in range(2)
        for part in parts.split()
    }


def plain(name: str) -> str:
    return name.removeprefix("base_model.").removeprefix("model.").replace(".default", "")


def test_every_type_of_peft_is_named_here() -> None:
    assert {*WORKING, *REFUSED} == {*peft_types(), "dora"}
    assert len(peft_types()) == 45


@pytest.mark.parametrize("name", WORKING)
def test_a_type_moves_what_it_promises_and_comes_back(biased: Path, tmp_path: Path, name: str) -> None:
    recipe = recipe_of(biased, small(name))
    model = assembled(recipe)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    step(model)
    moved = {plain(n) for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {plain(n) for n, p in model.named_parameters() if p.requires_grad}

    head = {n for n in moved if ".modules_to_save" in n}
    assert {n.replace(".modules_to_save", "") for n in head} == HEAD
    if name in SHARED_IN_PART:
        assert len(moved - head) == SHARED_IN_PART[name]
    else:
        assert moved - head == promised(name)

    (tmp_path / "run").mkdir()
    artifacts.save(recipe, model, tmp_path / "run")
    torch.manual_seed(7)
    loaded = artifacts.load(recipe, tmp_path / "run", load_tokenizer(recipe.model, recipe.task))
    found = logits(model)
    assert torch.equal(logits(loaded), found)

    if name in NOT_MERGED:
        with pytest.raises(RunError, match=NOT_MERGED[name]):
            recipe.method.merge(loaded)
        return
    merged = recipe.method.merge(loaded)
    assert type(merged).__name__ == "BertForSequenceClassification"
    torch.testing.assert_close(logits(merged), found)


@pytest.mark.parametrize("name", REFUSED)
def test_what_peft_cannot_do_is_one_message(tiny: Tiny, name: str) -> None:
    with pytest.raises(RecipeError) as caught:
        assembled(recipe_of(tiny("bert"), {"name": name}))
    start = f"method: PEFT cannot adapt BertForSequenceClassification by {name}: {REFUSED[name]}"
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith("; change the method's keys, or choose another method")
    assert "\n" not in str(caught.value)
