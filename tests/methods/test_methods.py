"""For every method and architecture: what moved after two steps is exactly what the method promises, and a fresh
process computes the same from what was saved."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import processes
import pytest
import torch
from conftest import Tiny
from torch import nn

from hf_tasks.models.load import load_tokenizer
from hf_tasks.recipe import Recipe, from_dict, to_yaml
from hf_tasks.runs import model_files

HEADS = {
    "bert": r"bert\.pooler\.|classifier\.",
    "roberta": r"classifier\.",
    "distilbert": r"pre_classifier\.|classifier\.",
    "albert": r"albert\.pooler\.|classifier\.",
    "t5": r"(encoder|decoder)\.final_layer_norm\.",
}
NORMS = r".*(block|layer|albert_layers)\.\d+\..*(?i:layer_?norm\w*)\."
CLASSES = {"name": "text-classification", "labels": ["no", "yes"], "problem_type": "single_label_classification"}
NEW = HEADS | {"bert": r"classifier\.", "albert": r"classifier\.", "t5": r"(?!)"}
"""Of the head, what the checkpoint does not have: it has the pooler, and all of T5."""
TASKS = {"t5": {"name": "text2text-generation", "metrics": ["bleu"]}}
METHODS: dict[str, tuple[dict[str, Any], str]] = {
    # what is promised beside the head: a pattern of parameter names
    "full": ({"name": "full"}, r".*"),
    "full, layer decay": ({"name": "full", "layer_decay": 0.5}, r".*"),
    "gradual-unfreezing": ({"name": "gradual-unfreezing", "steps_per_block": 1}, r".*"),
    "bitfit": ({"name": "bitfit"}, r".*\.bias$"),
    "frozen": ({"name": "frozen"}, r"(?!)"),
    "houlsby": ({"name": "bottleneck-adapter", "reduction_factor": 2}, rf".*\.adapter\.|{NORMS}"),
    "pfeiffer": ({"name": "bottleneck-adapter", "variant": "pfeiffer", "reduction_factor": 2}, r".*\.adapter\."),
    "lora": ({"name": "lora"}, r".*\.lora_[AB]\.|.*\.modules_to_save\."),
}
NOT_OF_T5 = {"bitfit", "frozen"}
"""It has no biases, and no head of its own; these are errors, tested elsewhere."""
CASES = [(m, a) for m in METHODS for a in HEADS if a != "t5" or m not in NOT_OF_T5]
IDS = torch.tensor([[2, 9, 10, 11, 12, 13, 3], [2, 14, 15, 16, 17, 18, 3]])
SEVERAL_STAGES = 2 + 2
"""Steps after which gradual unfreezing has freed the head, two blocks and the bottom."""


def inputs(architecture: str) -> dict[str, torch.Tensor]:
    return {"input_ids": IDS} | ({"decoder_input_ids": IDS} if architecture == "t5" else {})


def recipe_of(folder: Path, method: dict[str, Any], architecture: str = "") -> Recipe:
    return from_dict(
        {
            "name": "adapted",
            "task": TASKS.get(architecture, CLASSES | {"metrics": ["accuracy"]}),
            "data": {"train": "rows.jsonl"},
            "model": {"name_or_path": str(folder)},
            "method": method,
        }
    )  # fmt: skip


def values(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def moved(model: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


def step(recipe: Recipe, model: nn.Module, steps: int) -> None:
    """Optimizer steps as transformers' Trainer makes them, the method's callbacks included."""
    from transformers import Trainer, TrainingArguments

    labels = list(IDS.repeat(steps, 1)) if "text2text" in recipe.task.name else torch.arange(2 * steps) % 2
    rows = [{"input_ids": ids, "labels": label} for ids, label in zip(IDS.repeat(steps, 1), labels, strict=True)]
    args = TrainingArguments(
        "unused", learning_rate=1e-2, max_steps=steps, per_device_train_batch_size=2, save_strategy="no",
        report_to="none", disable_tqdm=True, use_cpu=True, dataloader_pin_memory=False,
    )  # fmt: skip
    groups = recipe.method.groups(model, args.learning_rate, args.weight_decay)
    kind, options = Trainer.get_optimizer_cls_and_kwargs(args, model)
    Trainer(
        model, args, train_dataset=rows, callbacks=recipe.method.callbacks(),
        optimizer_cls_and_kwargs=(kind, options | {"params": groups}) if groups else None,
    ).train()  # fmt: skip


def logits(model: nn.Module, architecture: str) -> torch.Tensor:
    model.eval()
    with torch.inference_mode():
        return model(**inputs(architecture)).logits


@pytest.fixture(scope="session")
def trained(
    tiny: Tiny, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], tuple[Path, nn.Module, set[str]]]:
    """The folder, model and moved parameters of a method on an architecture, trained once."""
    done: dict[tuple[str, str], tuple[Path, nn.Module, set[str]]] = {}

    def build(method: str, architecture: str) -> tuple[Path, nn.Module, set[str]]:
        if (method, architecture) not in done:
            recipe = recipe_of(tiny(architecture), METHODS[method][0], architecture)
            tokenizer = load_tokenizer(recipe.model, recipe.task)
            torch.manual_seed(0)
            model = model_files.build_model(recipe, tokenizer)
            before = values(model)
            step(recipe, model, SEVERAL_STAGES if method == "gradual-unfreezing" else 2)
            folder = tmp_path_factory.mktemp("run")
            model_files.save(recipe, model, folder)
            tokenizer.save_pretrained(folder)
            (folder / "recipe.yaml").write_text(to_yaml(recipe), encoding="utf-8")
            done[method, architecture] = folder, model, moved(model, before)
        return done[method, architecture]

    return build


@pytest.mark.parametrize(("method", "architecture"), CASES)
def test_what_moves_is_what_was_promised(trained: Any, method: str, architecture: str) -> None:
    _, model, changed = trained(method, architecture)
    promise = re.compile(rf"{NEW[architecture]}|{METHODS[method][1]}")
    assert changed == {name for name, _ in model.named_parameters() if promise.match(name)}


@pytest.mark.parametrize("method", ["bitfit", "frozen", "houlsby", "lora"])
def test_a_pooler_that_the_checkpoint_lacks_is_a_new_head(tiny: Tiny, tmp_path: Path, method: str) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny("bert"), tmp_path / "bert")
    file = tmp_path / "bert" / "model.safetensors"
    save_file({n: t for n, t in load_file(file).items() if "pooler" not in n}, file, metadata={"format": "pt"})
    recipe = recipe_of(tmp_path / "bert", METHODS[method][0])
    model = model_files.build_model(recipe, load_tokenizer(recipe.model, recipe.task))
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {name.split(".")[-1] for name in trained if "pooler" in name} == {"weight", "bias"}


FRESH = """
import json, sys, torch
from pathlib import Path
from hf_tasks.runs import model_files
from hf_tasks.runs.run import Run
for line in sys.stdin:
    run = Run.load(line.strip())
    model = run.model.eval()
    ids = torch.tensor(json.loads(sys.argv[1]))
    target = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
    with torch.inference_mode():
        print(json.dumps(model(input_ids=ids, **target).logits.tolist()))
"""


def test_a_fresh_process_computes_the_same(trained: Any) -> None:
    built = [trained(*case) for case in CASES]
    folders = "\n".join(str(folder) for folder, *_ in built)
    fresh = processes.run(["-c", FRESH, json.dumps(IDS.tolist())], input=folders)
    assert fresh.returncode == 0, fresh.stderr
    for case, (_, model, _), line in zip(CASES, built, fresh.stdout.splitlines(), strict=True):
        torch.testing.assert_close(torch.tensor(json.loads(line)), logits(model, case[1]), msg=str(case))


def test_gradual_unfreezing_frees_from_the_top(tiny: Tiny) -> None:
    """BERT, a step a stage: the head, then block 1, then block 0, then the embeddings."""
    recipe = recipe_of(tiny("bert"), {"name": "gradual-unfreezing", "steps_per_block": 1})
    stages = [HEADS["bert"], r"bert\.encoder\.layer\.1\.", r"bert\.encoder\.layer\.0\.", r"bert\.embeddings\."]
    tokenizer = load_tokenizer(recipe.model, recipe.task)
    for steps in range(1, 5):
        model = model_files.build_model(recipe, tokenizer)
        before = values(model)
        step(recipe, model, steps)
        free = re.compile("|".join(stages[:steps]))
        assert moved(model, before) == {name for name in before if free.match(name)}


def test_unfreezing_goes_by_epochs_or_steps() -> None:
    by_epoch = recipe_of(Path("x"), {"name": "gradual-unfreezing", "epochs_per_block": 0.5}).method
    by_step = recipe_of(Path("x"), {"name": "gradual-unfreezing", "steps_per_block": 10}).method
    assert [by_epoch.stage(epoch, 0) for epoch in (0, 0.4, 0.5, 1.0, 1.9)] == [0, 0, 1, 2, 3]
    assert [by_step.stage(0, s) for s in (0, 9, 10, 25)] == [0, 0, 1, 2]


def test_both_stacks_of_an_encoder_decoder_unfreeze_side_by_side(tiny: Tiny) -> None:
    from transformers import AutoModelForSeq2SeqLM

    from hf_tasks.methods.unfreezing_schedule import stages
    from hf_tasks.models.layers import pretrained_layers

    found = stages(pretrained_layers(AutoModelForSeq2SeqLM.from_pretrained(tiny("t5"))))
    blocks = [sorted({name.rsplit(".layer.", 1)[0] for name in stage}) for stage in found[1:-1]]
    assert blocks == [["decoder.block.1", "encoder.block.1"], ["decoder.block.0", "encoder.block.0"]]
    assert found[-1] == ("shared.weight",)


def test_lower_layers_learn_at_smaller_rates(tiny: Tiny) -> None:
    recipe = recipe_of(tiny("bert"), {"name": "full", "layer_decay": 0.5})
    model = model_files.build_model(recipe, load_tokenizer(recipe.model, recipe.task))
    names = {id(p): name for name, p in model.named_parameters()}
    groups = recipe.method.groups(model, 0.8, 0.01)
    assert groups is not None
    rates = {names[id(p)]: (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    assert rates.keys() == dict(model.named_parameters()).keys()
    assert rates["classifier.weight"] == (0.8, 0.01)
    assert rates["bert.pooler.dense.bias"] == (0.8, 0.0)
    assert rates["bert.encoder.layer.1.output.dense.weight"] == (0.4, 0.01)
    assert rates["bert.encoder.layer.0.output.LayerNorm.weight"] == (0.2, 0.0)
    assert rates["bert.embeddings.word_embeddings.weight"] == (0.1, 0.01)


def test_bitfit_of_a_model_without_biases(tiny: Tiny) -> None:
    from transformers import AutoModelForSeq2SeqLM

    from hf_tasks.core.errors import RecipeError

    method = recipe_of(Path("x"), {"name": "bitfit"}).method
    with pytest.raises(
        RecipeError, match=r"method\.name: T5ForConditionalGeneration has no biases that bitfit could train"
    ):
        method.prepare(AutoModelForSeq2SeqLM.from_pretrained(tiny("t5")))
