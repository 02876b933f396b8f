"""A sweep goes through its trials, ranks them, goes on after an interruption, and says what is wrong."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import Tiny, hasten
from transformers import TrainerControl, TrainerState

import hf_tasks
from hf_tasks import training
from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.recipe import Recipe, load
from hf_tasks.runs.run import Run
from hf_tasks.training import inputs
from hf_tasks.training.sweep import study, sweep
from hf_tasks.training.sweep.report import lines
from hf_tasks.training.sweep.study import Sweeping

RATES = "training.learning_rate=1e-5,1e-3"
EPOCHS = "training.num_train_epochs=1..2"
RANGE = "training.learning_rate=1e-5..1e-1:log"
RECIPE = """\
# Films.
name: films
task: {{name: text-classification}}
data:
  train: rows.jsonl
  test: nowhere/test.jsonl     # a sweep must not look for it
  validation_size: 0.25
model:
  name_or_path: {model}
training:
  learning_rate: 1e-4          # by hand
  batch_size: 8
"""


@pytest.fixture
def recipe(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe of two labels that a word tells apart."""
    monkeypatch.chdir(tmp_path)
    rows = [{"text": ("good film", "bad book")[i % 2] + f" {i}", "label": "ab"[i % 2]} for i in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = RECIPE.format(model=tiny("bert"))
    (tmp_path / "nowhere").mkdir()
    (tmp_path / "nowhere" / "test.jsonl").write_text((tmp_path / "rows.jsonl").read_text())
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return path


class Trainings:
    """Stands for `train`: what was asked for, and a score that falls with the distance of the rate from 1e-3."""

    def __init__(self) -> None:
        self.recipes: list[Recipe] = []
        self.before: Callable[[Recipe, Any], None] = lambda recipe, callbacks: None

    def __call__(self, recipe: Recipe, *, recipe_dir: Path, callbacks: Any) -> Any:
        self.recipes.append(recipe)
        recipe.output_dir.mkdir(parents=True, exist_ok=True)
        self.before(recipe, callbacks)
        given = recipe.training.given()
        score = round(0.9 - abs(given["learning_rate"] - 1e-3) - 0.01 * given.get("num_train_epochs", 0), 6)
        validation = {
            "accuracy": score,
            "n": 10,
            "loss": 1 - score,
            "intervals": {"accuracy": [score - 0.1, score + 0.05]},
        }
        return SimpleNamespace(results={"validation": validation, "training": {"seconds": 61.0}})

    @property
    def tried(self) -> list[tuple[float, int]]:
        given = [recipe.training.given() for recipe in self.recipes]
        return [(values["learning_rate"], values.get("num_train_epochs", 0)) for values in given]


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trainings]:
    trainings = Trainings()
    monkeypatch.setattr(training, "train", trainings)
    monkeypatch.setattr(study, "_free_memory", lambda: None)  # there is none to free, and it takes half a second
    return trainings


def ranks(sweeping: Sweeping) -> list[tuple[int, float]]:
    return [(trial.number, float(trial.value or 0)) for trial in sweeping.ranked]


def test_listed_values_are_tried_in_every_combination_and_ranked(recipe: Path, trainings: Trainings) -> None:
    swept = sweep(recipe, [RATES, EPOCHS], output_dir=Path("s"))
    assert trainings.tried == [(1e-5, 1), (1e-5, 2), (1e-3, 1), (1e-3, 2)]
    assert ranks(swept) == [(2, 0.89), (0, 0.88901), (3, 0.88), (1, 0.87901)]
    assert [folder.name for folder in Path("s/trials").iterdir()] == ["0002"]
    assert all(one.data.test is None and one.hub is None for one in trainings.recipes)
    assert Path("s/sweep.png").read_bytes()[1:4] == b"PNG"


def test_the_table_ranks_and_tells_what_to_do(recipe: Path, trainings: Trainings) -> None:
    assert list(lines(sweep(recipe, [RATES, EPOCHS], output_dir=Path("s")))) == [
        "  rank  trial  accuracy     95 % interval       time  training.learning_rate  training.num_train_epochs",
        "     1      2    0.8900  [0.7900, 0.9400]  1 min 1 s                   0.001                          1",
        "     2      0    0.8890  [0.7890, 0.9390]  1 min 1 s                    1e-5                          1",
        "     3      3    0.8800  [0.7800, 0.9300]  1 min 1 s                   0.001                          2",
        "     4      1    0.8790  [0.7790, 0.9290]  1 min 1 s                    1e-5                          2",
        "3 of the other 3 are within the interval of the best",
        "Ranked on the validation split (10 examples): the best of several scores is biased upwards. No trial "
        "used the test split.",
        "s/sweep.png: the scores; s/best.yaml: the recipe of trial 2; next:",
        "  hf-tasks train s/best.yaml",
    ]


def test_what_matters_is_told_once_there_are_enough_trials(recipe: Path, trainings: Trainings) -> None:
    rates = "training.learning_rate=" + ",".join(f"{i}e-2" for i in range(1, 9))
    swept = sweep(recipe, [rates, "training.num_train_epochs=1..2"], output_dir=Path("s"))
    told = next(line for line in lines(swept) if line.startswith("importance"))
    shares = [float(word) for word in told.replace(",", "").split() if word[0].isdigit()]
    assert told.startswith("importance (PED-ANOVA): training.learning_rate ")
    assert shares[0] > 0.8
    assert sum(shares) == pytest.approx(1, abs=0.01)


def test_the_best_recipe_is_the_users_own_with_the_values_of_the_best_trial(recipe: Path, trainings: Trainings) -> None:
    sweep(
        recipe, [RATES, "method.name=full,bitfit"], ["task.max_length=16"], {"metric": "accuracy"}, output_dir=Path("s")
    )
    first = "# recipe.yaml with the values of a sweep's best trial: accuracy 0.9000 on validation."
    metric = "  metric_for_best_model: accuracy\n"
    text = recipe.read_text().replace("classification}", "classification, max_length: 16}")
    text = text.replace("1e-4          # by hand", "0.001").replace("size: 8\n", f"size: 8\n{metric}")
    assert Path("s/best.yaml").read_text() == f"{first} Comments below are older.\n{text}method: {{name: full}}\n"
    changes = ["task.max_length=16", "training.learning_rate=1e-3", "method.name=full"]
    assert load("s/best.yaml") == load(recipe, [*changes, "training.metric_for_best_model=accuracy"])


def test_the_best_recipe_finds_its_data_from_anywhere(
    recipe: Path, trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    sweep(recipe, [RATES], output_dir=Path("s"))
    assert load("s/best.yaml").data.data_dir == str(tmp_path)


def test_an_interrupted_sweep_goes_on_as_if_nothing_had_happened(recipe: Path, trainings: Trainings) -> None:
    whole = sweep(recipe, [RANGE], options={"trials": 12}, output_dir=Path("whole"))
    tried, trainings.recipes = trainings.tried, []

    def kill(recipe: Recipe, callbacks: Any) -> None:
        if len(trainings.recipes) in (3, 13):
            raise KeyboardInterrupt

    trainings.before = kill
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            sweep(recipe, [RANGE], options={"trials": 12}, output_dir=Path("s"))
    swept = sweep(recipe, [RANGE], options={"trials": 12}, output_dir=Path("s"))
    again = [tried[i] for i in (0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11)]
    assert trainings.tried == again
    assert trainings.recipes[2].output_dir == trainings.recipes[3].output_dir == Path("s/trials/0002")
    assert ranks(swept) == ranks(whole)


def test_a_finished_sweep_trains_nothing_and_more_trials_add_to_it(recipe: Path, trainings: Trainings) -> None:
    for trials, trained in ((2, 2), (2, 2), (5, 5)):
        swept = sweep(recipe, [RANGE], options={"trials": trials}, output_dir=Path("s"))
        assert (len(trainings.recipes), len(swept.done)) == (trained, trials)
    assert len(set(trainings.tried)) == 5


def test_a_trial_that_fails_is_noted_and_the_others_go_on(recipe: Path, trainings: Trainings) -> None:
    def fail(recipe: Recipe, callbacks: Any) -> None:
        if recipe.training.given()["learning_rate"] == 1e-5:
            raise RunError("the loss is infinite")
        if recipe.training.given()["num_train_epochs"] == 2:
            raise MemoryError("no memory\nat all")

    trainings.before = fail
    swept = sweep(recipe, [RATES, EPOCHS], output_dir=Path("s"))
    told = list(lines(swept))
    assert told[2:5] == [
        "failed: trial 0: the loss is infinite",
        "failed: trial 1: the loss is infinite",
        "failed: trial 3: MemoryError: no memory",
    ]
    assert "MemoryError: no memory" in Path("s/logs/0003.txt").read_text()
    sweep(recipe, [RATES, EPOCHS], output_dir=Path("s"))
    assert len(trainings.recipes) == 4


def test_a_full_disk_stops_the_sweep_and_its_trial_is_done_again(recipe: Path, trainings: Trainings) -> None:
    def full(recipe: Recipe, callbacks: Any) -> None:
        if len(trainings.recipes) == 2:
            raise RunError("s: cannot be written") from OSError(28, "No space left on device")

    trainings.before = full
    with pytest.raises(RunError, match="cannot be written"):
        sweep(recipe, [RATES, EPOCHS], output_dir=Path("s"))
    assert ranks(sweep(recipe, [RATES, EPOCHS], output_dir=Path("s")))[0] == (2, 0.89)
    assert trainings.tried == [(1e-5, 1), (1e-5, 2), (1e-5, 2), (1e-3, 1), (1e-3, 2)]


def test_where_all_trials_fail_their_reasons_are_the_error(recipe: Path, trainings: Trainings) -> None:
    trainings.before = lambda recipe, callbacks: (_ for _ in ()).throw(RunError("the loss is infinite"))
    with pytest.raises(RunError) as e:
        sweep(recipe, [RATES], output_dir=Path("s"))
    assert e.value.problems == (
        "s: no trial has finished", "trial 0: the loss is infinite", "trial 1: the loss is infinite",
    )  # fmt: skip


def test_a_training_that_is_behind_is_given_up(recipe: Path, trainings: Trainings) -> None:
    def evaluate(recipe: Recipe, callbacks: Any) -> None:
        score = 0.9 if len(trainings.recipes) <= 5 else 0.1
        for callback in callbacks:
            callback.on_evaluate(None, TrainerState(epoch=1.0), TrainerControl(), metrics={"eval_score": score})

    trainings.before = evaluate
    swept = sweep(recipe, [RANGE], options={"trials": 6, "prune": True}, output_dir=Path("s"))
    assert [trial.state.name for trial in swept.done] == ["COMPLETE"] * 5 + ["PRUNED"]
    assert "stopped: trial 5: below the median after epoch 1" in list(lines(swept))
    assert not Path("s/trials/0005").exists()


def test_no_trial_begins_after_the_time_is_up(
    recipe: Path, trainings: Trainings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 100000, 10))
    monkeypatch.setattr("hf_tasks.training.sweep.study.time", SimpleNamespace(monotonic=lambda: next(clock)))
    sweep(recipe, [RATES, EPOCHS], output_dir=Path("s"), timeout="90s")
    assert len(trainings.recipes) == 2
    assert "time is up: 2 of 4 trials are done\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ([], "no key is varied; add for example --over training.learning_rate=1e-5..1e-3:log"),
        (["x"], "--over x: does not have the form key=values; write e.g. method.name=full,lora"),
        (
            ["task.max_length=8", "task.max_length=16"],
            "--over task.max_length=16: task.max_length is varied twice; give all its values in one --over",
        ),
        *(
            ([f"{key}=a,b"], f"--over {key}=a,b: {key} cannot be varied by a sweep; vary another key")
            for key in ("name", "training.output_dir", "data.test", "seeds", "hub.repo_id")
        ),
        (["method.r=4,8"], "--over method.r=4,8: method.name: missing; add it"),
        (["task.max_length=3..1"], "--over task.max_length=3..1: a range goes from low to high; found 3..1"),
        (
            ["training.learning_rat=1e-5,1e-3"],
            '--over training.learning_rat=1e-5,1e-3: training.learning_rat: unknown key; did you mean "learning_rate"?',
        ),
        (
            ["task.max_length=8..16", "training.learning_rate=0..1e-3"],
            "--over training.learning_rate=0..1e-3: training.learning_rate: must be a number above 0; found 0.0",
        ),
        (
            ["training.seed=1,2", "method.name=full,lorra"],
            '--over method.name=full,lorra: method.name: there is no "lorra"; did you mean "lora"? (one of: ',
        ),
    ],
)
def test_wrong_keys_and_values_are_found_before_anything_trains(
    recipe: Path, trainings: Trainings, over: list[str], message: str
) -> None:
    with pytest.raises(RecipeError) as e:
        sweep(recipe, over, output_dir=Path("s"))
    assert e.value.problems[0][: len(message)] == message
    assert len(e.value.problems) == 1
    assert (trainings.recipes, Path("s").exists()) == ([], False)


def test_the_recipes_own_section_is_swept_and_the_command_goes_before_it(recipe: Path, trainings: Trainings) -> None:
    section = "sweep:\n  space:\n    training.learning_rate: 1e-5..1e-3:log\n    training.num_train_epochs: [1, 2]\n"
    recipe.write_text(recipe.read_text() + section + "  trials: 7\n")
    swept = sweep(recipe, ["training.learning_rate=1e-3,1e-2"], output_dir=Path("s"))
    assert trainings.tried == [(1e-3, 1), (1e-3, 2), (1e-2, 1), (1e-2, 2)]
    assert len(swept.done) == 4
    assert load("s/best.yaml").sweep == load(recipe).sweep
    recipe.write_text(recipe.read_text().replace("epochs: [1, 2]", "epochs: [1, two]"))
    with pytest.raises(RecipeError) as e:
        sweep(recipe)
    assert str(e.value) == (f'{recipe}:16: training.num_train_epochs: input should be a valid number; found "two"')
    recipe.write_text(recipe.read_text().replace("1e-5..1e-3:log", "1e-3..1e-5"))
    with pytest.raises(RecipeError) as e:
        load(recipe)
    assert str(e.value) == (
        f"{recipe}:15: sweep.space.training.learning_rate: a range goes from low to high; found 1e-3..1e-5"
    )


def test_another_sweep_in_the_same_place_is_refused(recipe: Path, trainings: Trainings) -> None:
    sweep(recipe, [RATES], output_dir=Path("s"))
    with pytest.raises(RunError) as e:
        sweep(recipe, ["training.learning_rate=1e-5,1e-2"], ["task.max_length=8"], output_dir=Path("s"))
    remedy = "; undo that, or choose another --output-dir"
    assert e.value.problems == (
        f"s: this sweep was started before, and task.max_length was 512 and is now 8{remedy}",
        's: this sweep was started before, and the range of training.learning_rate was "1e-5,0.001" and is now '
        f'"1e-5,0.01"{remedy}',
    )
    Path("other").mkdir()
    Path("other/file").write_text("")
    with pytest.raises(RunError, match="^other: exists and is not a sweep; choose another --output-dir$"):
        sweep(recipe, [RATES], output_dir=Path("other"))


def test_a_trial_on_other_data_stops_the_sweep(
    recipe: Path, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file changes while the first trial trains; the second one reads it."""
    begun: dict[Path, Any] = {}

    def before(recipe: Recipe, callbacks: Any) -> None:
        begun[recipe.output_dir] = inputs.origin_of(recipe, Path())
        if len(begun) == 1:
            with Path("rows.jsonl").open("a") as file:
                file.write('{"text": "other", "label": "a"}\n')

    trainings.before = before
    monkeypatch.setattr(study, "read_origin", begun.get)
    with pytest.raises(RunError) as e:
        sweep(recipe, [RATES], output_dir=Path("s"))
    assert str(e.value) == (
        "s: since the start of this sweep, the data have changed (rows.jsonl); its trials could not be compared; undo "
        "that and run the same command again, or start another one"
    )
    assert [folder.name for folder in Path("s/trials").iterdir()] == ["0000"]
    with pytest.raises(
        RunError, match=r"^s: this sweep was started before, and the data have changed \(rows.jsonl\); "
    ):
        sweep(recipe, [RATES], output_dir=Path("s"))


def test_a_sweep_needs_a_validation_part(recipe: Path, trainings: Trainings) -> None:
    with pytest.raises(RecipeError) as e:
        sweep(recipe, [RATES], ["data.validation_size=0"], output_dir=Path("s"))
    assert str(e.value) == "data.validation_size: a sweep ranks trials on a validation split; give a size above 0"
    assert not Path("s").exists()


def test_without_optuna_it_says_what_to_install(
    recipe: Path, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_tasks.training.sweep.find_spec", lambda name: None)
    with pytest.raises(RunError) as e:
        sweep(recipe, [RATES], output_dir=Path("s"))
    assert str(e.value) == "a sweep needs Optuna; install it with: pip install 'hf_tasks[sweep]'"


def test_real_trials_and_the_best_recipe_gives_their_score(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)
    quick = ["training.num_train_epochs=2", "training.learning_rate=1e-2"]
    swept = sweep(recipe, ["method.name=full,bitfit"], quick, output_dir=Path("s"))
    best = swept.ranked[0]
    assert len(swept.ranked) == 2
    run = hf_tasks.train("s/best.yaml")
    assert run.results["validation"]["accuracy"] == best.value
    assert run.results["validation"]["intervals"]["accuracy"] == best.user_attrs["interval"]
    assert "test" in run.results
    assert "test" not in Run.load(swept.run_folder(best.number)).results


def test_what_cannot_be_trained_at_all_is_an_error_and_leaves_nothing(recipe: Path) -> None:
    with pytest.raises(RecipeError, match='there is no value "f1_makro"; did you mean "f1_macro"'):
        sweep(recipe, [RATES], options={"metric": "f1_makro"}, output_dir=Path("s"))
    assert not Path("s").exists()
