"""PEFT's types on the tiny BERT: each moves exactly what it promises and comes back the same, or is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Tiny
from torch import Tensor, nn

from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.methods.peft import peft_types
from hf_tasks.models.load import load_tokenizer
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.runs import model_files

Q_V = "layer.*.attention.self.query layer.*.attention.self.value"
OSF = (
    f"/bert.pooler.dense {Q_V} layer.*.attention.self.key layer.*.attention.output.dense layer.*.intermediate.dense "
    "layer.*.output.dense"
)
PROMISED = {
    # the adapted modules of bert.encoder (of both layers, where there is a *; "/": a name from the root), and the new
    # parameters of each
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
                 + " ".join(f"prompt_encoder.mlp_head.{i}.{split}" for i in (0, 2, 4) for split in ("weight", "bias"))),
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
HEAD = {f"classifier.{split}" for split in ("weight", "bias")}
IDS = torch.tensor([[2, 9, 10, 11, 12, 13, 3], [2, 14, 15, 16, 17, 18, 3]])


def recipe_of(folder: Path, method: dict[str, Any], task: str = "text-classification", **more: Any) -> Recipe:
    labels = {} if task == "question-answering" else {"labels": ["O", "B-x"]}
    section = {"name": task, "metrics": ["accuracy"], **labels}
    model = {"name_or_path": str(folder)}
    values = {"name": "run", "task": section, "data": {"train": "x.jsonl"}, "model": model, "method": method}
    return from_dict(values | more)


def small(name: str) -> dict[str, Any]:
    return {"name": name, **TOO_LARGE_FOR_TINY.get(name, {})}


def assembled(recipe: Recipe, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return model_files.build_model(recipe, load_tokenizer(recipe.model, recipe.task))


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
    modules, splits = PROMISED[name]
    return {
        f"{'bert.encoder.' if modules else ''}{module.replace('*', str(layer))}.{split}".rpartition("/")[2].lstrip(".")
        for module in (modules.split() or [""])
        for layer in range(2)
        for split in splits.split()
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
    model_files.save(recipe, model, tmp_path / "run")
    torch.manual_seed(7)
    loaded = model_files.load(recipe, tmp_path / "run", load_tokenizer(recipe.model, recipe.task))
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


# -- the recipe


def problems(method: dict[str, Any], **training: Any) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        recipe_of(Path("x"), method, training=training)
    return list(caught.value.problems)


def test_keys_are_those_of_the_type() -> None:
    assert problems({"name": "lora", "lora_alhpa": 16, "r": "8", "bias": "some"}) == [
        'recipe: method.r: input should be a valid integer; found "8"',
        "recipe: method.bias: input should be 'none', 'all' or 'lora_only'; found \"some\"",
        'recipe: method.lora_alhpa: unknown key; did you mean "lora_alpha"?',
    ]
    assert problems({"name": "ia3", "r": 8}) == ["recipe: method.r: unknown key; it needs method.name: lora"]
    assert problems({"name": "prefix_tuning"})[0].startswith(
        'recipe: method.name: there is no "prefix_tuning"; did you mean "prefix-tuning"? (one of: '
    )
    assert problems({"name": "lora", "task_type": "SEQ_CLS"}) == ["recipe: method.task_type: unknown key; remove it"]
    assert problems({"name": "adalora", "tfinal": 5}) == [
        "recipe: method.tfinal: the ranks of the end do not fit an earlier checkpoint; "
        "add training.load_best_model_at_end: false"
    ]


def test_keys_come_with_those_of_their_bases() -> None:
    assert {"r", "target_modules", "target_r"} <= peft_types()["adalora"].keys.keys()
    assert {"num_virtual_tokens", "prefix_projection"} <= peft_types()["prefix-tuning"].keys.keys()
    assert "task_type" not in peft_types()["lora"].keys


def test_mirrored_keys_are_those_of_the_configurations() -> None:
    from dataclasses import fields

    from peft import PeftConfig
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    ours = {field.name for field in fields(PeftConfig)}
    real = {
        str(kind.value): {field.name for field in fields(config)} - ours
        for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items()
    }
    assert {kind.value: set(kind.keys) for kind in peft_types().values()} == real


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ({"name": "lora", "r": 0}, "`r` should be a positive integer value but the value passed is 0"),
        ({"name": "lora", "lora_dropout": 1.5}, "dropout probability has to be between 0 and 1, but got 1.5"),
        ({"name": "adalora", "r": 4}, "Note that `r` is not used in AdaLora and will be ignored"),
    ],
)
def test_values_that_peft_refuses(tiny: Tiny, method: dict[str, Any], reason: str) -> None:
    with pytest.raises(RecipeError) as caught:
        assembled(recipe_of(tiny("bert"), method))
    start = f"method: PEFT cannot adapt BertForSequenceClassification by {method['name']}: {reason}"
    assert str(caught.value).startswith(start)


def test_a_module_that_the_model_lacks(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_of(tiny("bert"), {"name": "lora", "target_modules": ["q_proj"]})
    monkeypatch.setattr("transformers.BertForSequenceClassification.from_pretrained", None)  # no weights are needed
    with pytest.raises(RecipeError) as caught:
        assembled(recipe)
    assert str(caught.value) == (
        "method.target_modules: the model has no module 'q_proj' (its linear layers: query, key, value, dense)"
    )


def test_prefixes_need_past_key_values(tiny: Tiny) -> None:
    with pytest.raises(RecipeError) as caught:
        assembled(recipe_of(tiny("distilbert"), {"name": "prefix-tuning"}))
    assert str(caught.value) == (
        "method: PEFT cannot adapt DistilBertForSequenceClassification by prefix-tuning: Model does not support past "
        "key values which are required for prefix tuning; change the method's keys, or choose another method"
    )


# -- architectures


@pytest.mark.parametrize(
    ("architecture", "name", "targets"),
    [
        ("distilbert", "lora", {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
                                "ffn.lin1", "ffn.lin2"}),
        ("distilbert", "ia3", {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
                               "ffn.lin1", "ffn.lin2"}),
        ("distilbert", "ln-tuning", {"sa_layer_norm", "output_layer_norm"}),
        ("albert", "lora", {f"albert_layers.0.{split}" for split in (
            "attention.query", "attention.key", "attention.value", "attention.dense", "ffn", "ffn_output")}),
        ("roberta", "lora", {"query", "value"}),
    ],
)  # fmt: skip
def test_default_targets(tiny: Tiny, architecture: str, name: str, targets: set[str]) -> None:
    model = assembled(recipe_of(tiny(architecture), {"name": name}))
    assert set(model.peft_config["default"].target_modules) == targets
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    step(model)
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {n for n, p in model.named_parameters() if p.requires_grad}
    adapted = {n.split(".default")[0].rpartition(".")[0] for n in moved if "modules_to_save" not in n}
    assert {next((t for t in targets if n.endswith(t)), n) for n in adapted} == targets


@pytest.mark.parametrize("name", ["prompt-tuning", "prefix-tuning"])
@pytest.mark.parametrize("task", ["token-classification", "question-answering"])
def test_learned_tokens_are_none_of_the_outputs(tiny: Tiny, tmp_path: Path, name: str, task: str) -> None:
    recipe = recipe_of(tiny("bert"), {"name": name, "num_virtual_tokens": 6}, task)
    model = assembled(recipe)
    step(model)
    assert logits(model).shape[:2] == IDS.shape
    model_files.save(recipe, model, tmp_path)
    tokenizer = load_tokenizer(recipe.model, recipe.task)
    loaded = model_files.load(recipe, tmp_path, tokenizer)
    assert torch.equal(logits(loaded), logits(model))
    assert tokenizer.model_max_length == 64 - 6
    full = torch.full((1, tokenizer.model_max_length), 9)
    assert loaded(input_ids=full, attention_mask=torch.ones_like(full))[0].shape[1] == 58


# -- saving


def test_peft_alone_loads_a_run(tiny: Tiny, tmp_path: Path) -> None:
    from peft import AutoPeftModel, PeftModel
    from safetensors import safe_open
    from transformers import AutoModelForSequenceClassification

    recipe = recipe_of(tiny("bert"), {"name": "lora"})
    model = assembled(recipe)
    step(model)
    model_files.save(recipe, model, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "config.json",
    ]  # fmt: skip
    config = json.loads((tmp_path / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["peft_type"], config["base_model_name_or_path"]) == ("LORA", str(tiny("bert")))
    assert config["modules_to_save"] == ["classifier"]
    with safe_open(tmp_path / "adapter_model.safetensors", framework="pt") as file:
        assert file.metadata()["base_sha256"] == model_files.base_hash(recipe)

    base = AutoModelForSequenceClassification.from_pretrained(tiny("bert"), num_labels=2)
    with pytest.warns(FutureWarning, match="is_gradient_checkpointing"):  # PEFT's own use of transformers
        loaded = PeftModel.from_pretrained(base, tmp_path)
        by_name = AutoPeftModel.from_pretrained(tmp_path, num_labels=2)
    assert torch.equal(logits(loaded), logits(model))
    assert torch.equal(logits(by_name), logits(model))


def test_an_adapter_that_is_not_whole(tiny: Tiny, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    recipe = recipe_of(tiny("bert"), {"name": "lora"})
    model_files.save(recipe, assembled(recipe), tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    save_file({n: t for n, t in load_file(file).items() if "lora_B" not in n}, file)
    with pytest.raises(RunError) as caught:
        model_files.load(recipe, tmp_path, load_tokenizer(recipe.model, recipe.task))
    assert str(caught.value).startswith(
        f"{tmp_path}: the adapter does not fit its base checkpoint: Found missing adapter keys"
    )
    assert str(caught.value).endswith("; train it again")


def test_a_mix_of_layers_beside_lora_comes_back(tiny: Tiny, tmp_path: Path) -> None:
    recipe = recipe_of(
        tiny("bert"), {"name": "lora"}, model={"name_or_path": str(tiny("bert")), "weighted_layers": True}
    )
    model = assembled(recipe)
    step(model)
    mixes = {n for n, p in model.named_parameters() if "scalar_mix" in n and p.requires_grad}
    assert {plain(n).replace(".modules_to_save", "") for n in mixes} == {
        "bert.encoder.scalar_mix.weights", "bert.encoder.scalar_mix.gamma",
    }  # fmt: skip
    model_files.save(recipe, model, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["trained.safetensors"]
    torch.manual_seed(9)
    loaded = model_files.load(recipe, tmp_path, load_tokenizer(recipe.model, recipe.task))
    assert torch.equal(logits(loaded), logits(model))


# -- training


def trainer(recipe: Recipe, model: Any, folder: Path, **more: Any) -> Any:
    from transformers import Trainer, TrainingArguments

    rows = [{"input_ids": ids, "labels": torch.tensor(i % 2)} for i, ids in enumerate(IDS.repeat(6, 1))]
    callbacks = [*recipe.method.callbacks(), *more.pop("callbacks", [])]
    args = TrainingArguments(
        str(folder), max_steps=6, per_device_train_batch_size=2, report_to="none", disable_tqdm=True, use_cpu=True,
        dataloader_pin_memory=False, **{"save_strategy": "no"} | more,
    )  # fmt: skip
    return Trainer(model, args, train_dataset=rows, eval_dataset=rows, callbacks=callbacks)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT's own use of transformers
def test_the_best_checkpoint_comes_back_with_its_head(tiny: Tiny, tmp_path: Path) -> None:
    from transformers import TrainerCallback

    class Snapshots(TrainerCallback):  # type: ignore[misc]
        taken: dict[int, dict[str, Tensor]] = {}

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            trained = {n: p.detach().clone() for n, p in kwargs["model"].named_parameters() if p.requires_grad}
            self.taken[state.global_step] = trained

    recipe = recipe_of(tiny("bert"), {"name": "lora"})
    model = assembled(recipe)
    made = trainer(
        recipe, model, tmp_path, callbacks=[Snapshots()], learning_rate=0.5, lr_scheduler_type="constant",
        save_strategy="steps", eval_strategy="steps", save_steps=1, eval_steps=1, load_best_model_at_end=True,
    )  # fmt: skip
    made.train()
    best = Snapshots.taken[made.state.best_global_step]
    assert made.state.best_global_step < 6
    assert len(best) == 10  # eight matrices of LoRA, weight and bias of the head
    now = dict(model.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in best.items())
    assert not all(torch.equal(now[name], value) for name, value in Snapshots.taken[6].items())
    assert {n for n, p in now.items() if p.requires_grad} == best.keys()


def test_adalora_moves_its_budget(tiny: Tiny, tmp_path: Path) -> None:
    """Four matrices of rank 4 at first, of rank 2 on average in the end."""
    recipe = recipe_of(tiny("bert"), {"name": "adalora", "init_r": 4, "target_r": 2})
    model = assembled(recipe)
    trainer(recipe, model, tmp_path, learning_rate=1e-2, lr_scheduler_type="constant").train()
    assert model.peft_config["default"].total_step == 6
    ranks = [int((p != 0).sum()) for n, p in model.named_parameters() if "lora_E" in n]
    assert sum(ranks) == 4 * 2
    (tmp_path / "run").mkdir()
    model_files.save(recipe, model, tmp_path / "run")
    loaded = model_files.load(recipe, tmp_path / "run", load_tokenizer(recipe.model, recipe.task))
    assert torch.equal(logits(loaded), logits(model))


def test_adalora_that_ends_before_it_begins(tiny: Tiny, tmp_path: Path) -> None:
    recipe = recipe_of(tiny("bert"), {"name": "adalora", "tinit": 6})
    with pytest.raises(
        RecipeError, match=r"method\.tinit: with 6 first and 0 last steps, a training of 6 steps leaves"
    ):
        trainer(recipe, assembled(recipe), tmp_path).train()


def test_adaloras_regulariser_is_that_of_peft(tiny: Tiny) -> None:
    from hf_tasks.methods.peft_schedule import _skewness

    model = assembled(recipe_of(tiny("bert"), {"name": "adalora", "orth_reg_weight": 0.25}))
    labels = torch.tensor([0, 1])
    output = model.base_model(input_ids=IDS, attention_mask=torch.ones_like(IDS), labels=labels)
    task_loss = nn.functional.cross_entropy(output.logits, labels)
    torch.testing.assert_close(output.loss - task_loss, 0.25 * _skewness(model.base_model))


def test_heads_by_name(tiny: Tiny) -> None:
    """Of a head with modules inside, its leaves."""
    model = assembled(recipe_of(tiny("roberta"), {"name": "lora", "modules_to_save": ["roberta.embeddings.LayerNorm"]}))
    assert model.peft_config["default"].modules_to_save == [
        "classifier.dense", "classifier.out_proj", "roberta.embeddings.LayerNorm",
    ]  # fmt: skip
