"""The straight line, on tiny checkpoints: what is trained is what is saved, loaded, measured and predicted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import processes
import pytest
import torch
import transformers
from conftest import Tiny, hasten

import hf_tasks
from hf_tasks.core.errors import DataError, RecipeError, RunError
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.recipe.resolve import resolve
from hf_tasks.runs import evaluation
from hf_tasks.runs.run import Run
from hf_tasks.runs.staged_run import StagedRun
from hf_tasks.training import setup, train
from hf_tasks.training.arguments import arguments
from hf_tasks.training.trainer import TaskTrainer

GOOD, BAD = "a good moving film", "an awful slow book"
Make = Callable[..., Recipe]


@pytest.fixture(scope="session")
def rows_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 rows, two labels that a word tells apart."""
    rows = [{"text": f"{(GOOD, BAD)[i % 2]} {i}", "label": ("good", "bad")[i % 2]} for i in range(40)]
    path = tmp_path_factory.mktemp("data") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def make(tiny: Tiny, rows_file: Path, tmp_path: Path) -> Make:
    """A recipe on the 40 rows; keywords replace whole sections, `training` keys are added."""

    def build(architecture: str = "bert", training: dict[str, Any] | None = None, **sections: Any) -> Recipe:
        quick = {"num_train_epochs": 1, "per_device_train_batch_size": 8, "output_dir": str(tmp_path / "run")}
        return from_dict(
            {
                "name": "tiny",
                "task": {"name": "text-classification"},
                "data": {"train": str(rows_file), "test": str(rows_file), "validation_size": 0.2},
                "model": {"name_or_path": str(tiny(architecture))},
                "training": quick | (training or {}),
            }
            | sections
        )

    return build


@pytest.fixture
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the check in a fresh process, which takes seconds, where a test is about something else."""
    hasten(monkeypatch)


@pytest.mark.parametrize("architecture", ["bert", "albert", "roberta", "distilbert"])
def test_a_run_loads_plainly_and_computes_the_same(make: Make, architecture: str) -> None:
    run = train(make(architecture))
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(run.path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(run.path)
    assert plain.config.id2label == {0: "bad", 1: "good"}
    assert plain.config.label2id == {"bad": 0, "good": 1}
    with torch.inference_mode():
        batch = tokenizer([GOOD, BAD], return_tensors="pt", padding=True)
        probabilities = plain(**batch).logits.softmax(-1)
    predictions = run.predict([{"text": GOOD}, {"text": BAD}])
    for row, expected in zip(predictions, probabilities, strict=True):
        assert list(row["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-5)
    pipe = transformers.pipeline("text-classification", model=plain, tokenizer=tokenizer)
    assert [row["label"] for row in pipe([GOOD, BAD])] == [row["label"] for row in predictions]


def test_a_run_directory_holds_what_was_trained_measured_and_can_be_shared(make: Make) -> None:
    run = train(make())
    files = sorted(p.relative_to(run.path).as_posix() for p in run.path.rglob("*") if p.is_file())
    assert files == [
        "README.md", "config.json", "counts/test.npz", "counts/validation.npz", "environment.json", "manifest.json",
        "model.safetensors", "predictions/test.jsonl", "predictions/validation.jsonl", "recipe.yaml", "results.json",
        "status.json", "tokenizer.json", "tokenizer_config.json", "train_stats.json", "training_log.jsonl",
    ]  # fmt: skip
    assert run.results["test"]["n"] == 40
    assert run.results["data"]["train"]["examples"] == 32
    assert run.results["data"]["validation"]["examples"] == 8
    loaded = Run.load(run.path)
    assert loaded.recipe == run.recipe
    assert loaded.recipe.task.labels == ("bad", "good")
    again = loaded.evaluate([{"text": GOOD, "label": "good"}, {"text": BAD, "label": "bad"}])
    assert again["n"] == 2


def test_it_learns_what_is_plain_and_keeps_the_best_checkpoint(make: Make, unverified: None) -> None:
    run = train(make(training={"num_train_epochs": 6, "learning_rate": 5e-3}))
    assert run.results["test"]["accuracy"] == 1.0
    log = [json.loads(line) for line in (run.path / "training_log.jsonl").read_text().splitlines()]
    evaluated = {row["step"]: row for row in log if "eval_accuracy" in row}
    assert len(evaluated) == 6
    best = max(evaluated, key=lambda step: (evaluated[step]["eval_accuracy"], -evaluated[step]["eval_loss"]))
    assert run.results["training"]["best_step"] == best
    assert run.results["validation"]["accuracy"] == evaluated[best]["eval_accuracy"]


def test_of_equal_scores_the_lower_loss_is_kept(
    make: Make, unverified: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = [
        {"n": 8, "accuracy": score, "loss": loss} for score, loss in ((0.5, 0.9), (0.75, 0.7), (0.75, 0.6), (0.75, 0.8))
    ]
    values = iter(measured)
    real = evaluation.scores
    monkeypatch.setattr(
        evaluation,
        "scores",
        lambda *args, **options: real(*args, **options) if "intervals" in options else next(values),
    )
    monkeypatch.setattr(setup, "check_metrics", lambda *_: None)
    facts = train(make(training={"num_train_epochs": 4})).results["training"]
    assert (facts["kept_epoch"], facts["epochs"], facts["best_step"]) == (3, 4, facts["steps"] * 3 // 4)
    assert "  kept       epoch 3 of 4\n" in capsys.readouterr().err


def test_early_stopping_ends_training(make: Make, unverified: None) -> None:
    stop = {"early_stopping_patience": 2, "early_stopping_threshold": 1.0}
    run = train(make(training={"num_train_epochs": 9}, early_stopping=stop))
    assert run.results["training"]["epochs"] == 3


def test_the_same_recipe_gives_the_same_weights(make: Make, tmp_path: Path, unverified: None) -> None:
    runs = [train(make(training={"output_dir": str(tmp_path / name), "max_steps": 3})) for name in ("a", "b")]
    weights = [(run.path / "model.safetensors").read_bytes() for run in runs]
    assert weights[0] == weights[1]


def one_step(recipe: Recipe) -> dict[str, torch.Tensor]:
    """The parameters after one optimizer step, without dropout."""
    from hf_tasks.models.load import load_model, load_tokenizer
    from hf_tasks.runs.evaluation import encode
    from hf_tasks.tasks.collate import PaddingCollator

    recipe, splits = resolve(recipe, None)
    torch.manual_seed(1)
    tokenizer = load_tokenizer(recipe.model, recipe.task)
    model = load_model(recipe.model, recipe.task, tokenizer)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    trainer = TaskTrainer(
        recipe,
        row_location=str,
        validation=None,
        train_stats={},
        model=model,
        args=arguments(recipe, validated=False),
        train_dataset=encode(splits.train.examples, recipe.task, tokenizer).features,
        data_collator=PaddingCollator(tokenizer),
    )
    trainer.train()
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("weights", [None, {"bad": 1.0, "good": 5.0}])
def test_accumulated_batches_equal_one_large_batch(make: Make, weights: dict[str, float] | None) -> None:
    task = {"name": "text-classification", "class_weights": weights}
    plain = {
        "max_steps": 1,
        "optim": "sgd",
        "learning_rate": 0.1,
        "warmup_steps": 0,
        "max_grad_norm": 0.0,
        "bf16": False,
    }
    plain |= {"train_sampling_strategy": "sequential", "weight_decay": 0.0}
    large = one_step(make(training=plain | {"per_device_train_batch_size": 15}, task=task))
    small = one_step(
        make(training=plain | {"per_device_train_batch_size": 5, "gradient_accumulation_steps": 3}, task=task)
    )
    for name, parameter in large.items():
        torch.testing.assert_close(parameter, small[name], atol=1e-6, rtol=1e-5)


def test_a_changed_file_is_not_taken_for_the_trained_model(make: Make, unverified: None, monkeypatch: Any) -> None:
    from safetensors.torch import load_file, save_file

    run = train(make())
    trained = Run.load(run.path).model
    path = run.path / "model.safetensors"
    weights = load_file(path)
    weights["classifier.bias"] = weights["classifier.bias"] + 1
    save_file(weights, path, {"format": "pt"})
    (run.path / "manifest.json").unlink()  # it is written after the verification
    monkeypatch.undo()
    _, splits = resolve(run.recipe, None)
    from hf_tasks.runs.evaluation import encode

    encoded = encode(splits.train.examples, run.recipe.task, run.tokenizer)
    with pytest.raises(RunError, match="the saved run computes something else than the trained model"):
        StagedRun(run.path, run.recipe).verify(trained, encoded)


def test_a_finished_run_is_not_overwritten_unasked(
    make: Make, unverified: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(make(training={"max_steps": 1}))
    assert "\n  warning    texts that are also in train: 32 of 40 in test (" in capsys.readouterr().err
    written = (run.path / "results.json").stat().st_mtime_ns
    assert train(make(training={"max_steps": 1})).path == run.path
    said = f"{run.path}: this run is finished, there is nothing to do; --overwrite trains it again\n"
    assert capsys.readouterr().err.endswith(said)
    assert (run.path / "results.json").stat().st_mtime_ns == written
    with pytest.raises(RunError) as e:
        train(make(training={"max_steps": 2}))
    assert str(e.value) == (
        f"{run.path}: contains a finished run, and training.max_steps was 1 and is now 2; choose another "
        "--output-dir, or add --overwrite"
    )
    train(make(training={"max_steps": 1}), overwrite=True)
    assert (run.path / "results.json").stat().st_mtime_ns != written


def test_a_folder_that_is_no_run_is_left_alone(make: Make, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="exists and is not a run; choose another --output-dir"):
        train(make(), overwrite=True)
    assert (tmp_path / "run" / "thesis.tex").read_text() == "years of work"


def test_a_broken_file_stops_before_the_model_is_loaded(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_text("text,label\ngood,1\nbad,\n", encoding="utf-8")
    recipe = make(data={"train": str(path)}, model={"name_or_path": "no/such-model"})
    with pytest.raises(DataError) as e:
        train(recipe)
    assert str(e.value).splitlines()[0] == f"{path}:3: the label is empty; give the row a label or remove it"
    assert not recipe.output_dir.exists()


def test_a_label_that_only_the_test_part_has_is_named(make: Make, tmp_path: Path, rows_file: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_text("text,label\nfine,good\nfine,goood\n", encoding="utf-8")
    with pytest.raises(DataError) as e:
        train(make(data={"train": str(rows_file), "test": str(path)}))
    line = f'{path}:3: label "goood" is not among the labels of the training data; did you mean "good"?'
    assert str(e.value).splitlines()[0] == line


def test_arguments_that_transformers_refuses_are_recipe_errors(make: Make) -> None:
    with pytest.raises(RecipeError, match=r"^training: .*saving steps .* multiple of the evaluation steps.* 4, .* 3\b"):
        train(make(training={"eval_strategy": "steps", "eval_steps": 3, "save_strategy": "steps", "save_steps": 4}))


def test_a_metric_that_is_not_measured_cannot_choose_the_checkpoint(make: Make) -> None:
    recipe = make(training={"metric_for_best_model": "eval_acuracy"})
    with pytest.raises(RecipeError) as e:
        train(recipe)
    assert str(e.value).startswith(
        'training.metric_for_best_model: "acuracy" is not computed; did you mean "accuracy"? (one of: accuracy,'
    )
    assert not recipe.output_dir.exists()


def test_a_metric_of_another_kind_stops_before_training(make: Make) -> None:
    recipe = make(task={"name": "text-classification", "metrics": ["accuracy", "pearson"]})
    with pytest.raises(RecipeError, match='^task.metrics: "pearson" cannot score the predictions of this task'):
        train(recipe)
    assert not recipe.output_dir.exists()


def test_an_unknown_metric_stops_before_training(make: Make) -> None:
    recipe = make(task={"name": "text-classification", "metrics": ["acuracy"]})
    with pytest.raises(RecipeError, match='there is no metric "acuracy"; did you mean "accuracy"?'):
        train(recipe)
    assert not recipe.output_dir.exists()


def test_a_tracker_that_is_not_installed_is_a_recipe_error(make: Make) -> None:
    recipe = make(training={"report_to": "comet_ml"})
    with pytest.raises(RecipeError, match="^training.report_to: the library of comet_ml is not installed; install it"):
        train(recipe)
    assert not [path for path in recipe.output_dir.rglob("*") if path.is_file()]


def test_a_column_of_flags_is_a_label_even_if_no_training_row_has_it(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "flags.csv"
    path.write_text("text,joy,anger,grief\n" + f"{GOOD},1,0,0\n{BAD},0,1,0\n" * 4, encoding="utf-8")
    recipe = make(data={"train": str(path), "columns": {"labels": ["joy", "anger", "grief"]}})
    resolved, _ = resolve(recipe, None)
    assert resolved.task.labels == ("joy", "anger", "grief")


def test_python_in_one_line_each(make: Make, tmp_path: Path) -> None:
    recipe = make(training={"max_steps": 1})
    run = hf_tasks.train(recipe)
    prediction = hf_tasks.load_run(run.path).predict(text=GOOD)
    assert prediction["label"] in ("good", "bad")
    assert hf_tasks.check(recipe, dry_run=False)[0] == f"tiny: text-classification, {recipe.model.name_or_path}, full"


def test_predict_keeps_every_row_in_order_through_the_command_line(
    make: Make, unverified: None, tmp_path: Path
) -> None:
    run = train(make(training={"num_train_epochs": 6, "learning_rate": 5e-3}))
    texts = [BAD, GOOD, GOOD + " good" * 40, BAD, GOOD]
    (tmp_path / "in.csv").write_text("text\n" + "\n".join(texts) + "\n", encoding="utf-8")
    command = ["-m", "hf_tasks", "predict", run.path]
    assert processes.run([*command, tmp_path / "in.csv", "-o", tmp_path / "out.jsonl"]).returncode == 0
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["label"] for row in rows] == ["bad", "good", "good", "bad", "good"]
    stdin = processes.run([*command, "-"], input="\n".join(texts))
    assert stdin.returncode == 0
    assert [json.loads(line)["label"] for line in stdin.stdout.splitlines()] == ["bad", "good", "good", "bad", "good"]


def save_gpt2(folder: Path) -> None:
    """A tiny GPT-2, whose tokenizer has no padding token and which reads no token_type_ids."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

    words = ["<|endoftext|>", "<unk>", *f"{GOOD} {BAD}".split(), *map(str, range(40))]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(dict.fromkeys(words))}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|endoftext|>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )
    tokenizer.save_pretrained(folder)
    GPT2Model(GPT2Config(vocab_size=len(tokenizer), n_positions=32, n_embd=32, n_layer=2, n_head=2)).save_pretrained(
        folder
    )


def save_byte_level_bert(folder: Path) -> None:
    """A tiny BERT with a tokenizer written in Python (slow), which reads bytes."""
    from transformers import BertConfig, BertModel, ByT5Tokenizer

    tokenizer = ByT5Tokenizer(model_max_length=64)
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)


@pytest.mark.parametrize("save", [save_gpt2, save_byte_level_bert])
def test_models_without_padding_token_or_segments_and_slow_tokenizers(
    make: Make, tmp_path: Path, unverified: None, save: Callable[[Path], None]
) -> None:
    save(tmp_path / "model")
    run = train(make(model={"name_or_path": str(tmp_path / "model")}, training={"max_steps": 1}))
    loaded = Run.load(run.path)
    together = loaded.predict([{"text": GOOD}, {"text": BAD + " 1 2 3"}])
    alone = [loaded.predict(text=GOOD), loaded.predict(text=BAD + " 1 2 3")]
    for row, expected in zip(together, alone, strict=True):
        assert row["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)


def test_a_template_that_cannot_be_used_stops_before_training(make: Make, tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text("{{ nothing }}", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"card\.template: mine\.jinja cannot be used \(UndefinedError"):
        train(make(card={"template": "mine.jinja"}), recipe_dir=tmp_path)
    assert not (tmp_path / "run").exists()
