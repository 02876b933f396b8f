"""One training for each seed: whole runs on the same data, their mean and spread."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Tiny, hasten
from scipy.stats import t

import hf_tasks
from hf_tasks.cli import runs, training
from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.runs.run import Run
from hf_tasks.runs.status import read_origin
from hf_tasks.training import group_report, seeds, train
from hf_tasks.training.run_group import summary
from hf_tasks.training.seeds import SeedRuns, compare, welch


@pytest.fixture(autouse=True)
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check in a fresh process, which takes seconds."""
    hasten(monkeypatch)


@pytest.fixture
def values(tiny: Tiny, tmp_path: Path) -> dict[str, Any]:
    rows = [{"text": f"a {('good', 'bad')[i % 2]} film {i % 7}", "label": ("yes", "no")[i % 3 % 2]} for i in range(20)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    training = {"num_train_epochs": 1, "learning_rate": 1e-2, "output_dir": str(tmp_path / "runs")}
    return {
        "name": "tiny",
        "task": {"name": "text-classification"},
        "data": {"train": str(file), "test": str(file), "validation_size": 0.4},
        "model": {"name_or_path": str(tiny("bert"))},
        "training": training,
        "seeds": [1, 2],
    }


def seed_recipe(recipe: Recipe, seed: int) -> Recipe:
    return SeedRuns(recipe.output_dir).recipe_of(recipe, seed)


def problems(values: dict[str, Any]) -> str:
    with pytest.raises(RecipeError) as e:
        from_dict(values)
    return str(e.value)


def test_each_seed_is_the_run_of_that_seed_on_the_same_data(values: dict[str, Any], tmp_path: Path) -> None:
    group = hf_tasks.train(from_dict(values))
    assert isinstance(group, SeedRuns) and list(group.runs) == [1, 2]
    one, two = (group.runs[seed].results for seed in (1, 2))
    assert one["validation"]["loss"] != two["validation"]["loss"]
    assert (one["validation"]["n"], two["validation"]["n"]) == (8, 8)
    recipe = seed_recipe(from_dict(values), 2)
    training = recipe.training.model_copy(update={"output_dir": str(tmp_path / "alone")})
    alone = train(recipe.model_copy(update={"training": training}))
    assert alone.results["test"] == two["test"]
    losses = [results["test"]["loss"] for results in (one, two)]
    assert group.results["test"]["loss"]["values"] == losses
    assert group.results["test"]["loss"]["mean"] == pytest.approx(sum(losses) / 2)
    page = group_report.report(group).read_text(encoding="utf-8")
    low, high = sorted(results["test"]["accuracy"] for results in (one, two))
    assert f"accuracy is {low:.4f} to {high:.4f} over 2 seeds, with a standard deviation of" in page
    assert "seed 2" in page and "| 2 | seed-2 | 1 | " in group_report.card(group)
    with pytest.raises(RunError, match="--slice text: slices are those of one run; name it, e.g. .*/seed-1$"):
        group_report.report(group, columns=["text"])


def test_a_command_given_again_trains_only_what_is_missing(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained: list[int] = []

    def some(recipe: Recipe, **options: Any) -> Run:
        if not Run.is_finished(recipe.output_dir):
            trained.append(recipe.seed)
            if trained == [1, 2]:
                raise KeyboardInterrupt
        return train(recipe, **options)

    monkeypatch.setattr("hf_tasks.training.train", some)
    with pytest.raises(KeyboardInterrupt):
        hf_tasks.train(from_dict(values))
    assert not SeedRuns.is_here(tmp_path / "runs")
    hf_tasks.train(from_dict(values))
    hf_tasks.train(from_dict(values | {"seeds": [1, 2, 3]}))
    assert trained == [1, 2, 2, 3]
    assert SeedRuns.load(tmp_path / "runs").results["seeds"] == [1, 2, 3]


def test_seeds_on_other_data_are_refused(values: dict[str, Any], tmp_path: Path) -> None:
    hf_tasks.train(from_dict(values | {"seeds": [1]}))
    rows = tmp_path / "rows.jsonl"
    before = rows.read_text()
    rows.write_text(before.replace("a good film 3", "a good film 4"))
    with pytest.raises(RunError) as e:
        hf_tasks.train(from_dict(values))
    assert str(e.value) == (
        f"{tmp_path}/runs/seed-1: contains a finished run, and the data have changed ({rows}); choose another "
        "output_dir, or add overwrite=True"
    )
    rows.write_text(before)
    hf_tasks.train(from_dict(values))
    status = tmp_path / "runs" / "seed-2" / "status.json"  # as if the data had changed while seed 1 was trained
    status.write_text(status.read_text().replace(read_origin(status.parent).data["test"][str(rows)], "0" * 64))  # type: ignore[union-attr]
    with pytest.raises(RunError) as e:
        SeedRuns(tmp_path / "runs").check_alike(1, 2)
    assert str(e.value) == (
        f"{tmp_path}/runs/seed-2: after seed 1, the data have changed ({rows}); their mean would mix both; undo that, "
        "or train all seeds again with --overwrite"
    )


def test_all_seeds_hold_out_the_same_rows(values: dict[str, Any]) -> None:
    from hf_tasks.recipe.resolve import resolve

    splits = [resolve(seed_recipe(from_dict(values), seed), None)[1] for seed in (1, 2)]
    rows = [[split.validation.where(i) for i in range(8)] for split in splits if split.validation]
    assert rows[0] == rows[1]
    values["data"]["seed"] = 7
    again = resolve(seed_recipe(from_dict(values), 1), None)[1].validation
    assert again and [again.where(i) for i in range(8)] != rows[0]


def test_the_recipe_of_a_seed_names_its_seeds(values: dict[str, Any]) -> None:
    recipe = seed_recipe(from_dict(values), 2)
    assert (recipe.seeds, recipe.training.given()["seed"], recipe.data.seed) == (None, 2, 42)
    assert recipe.output_dir.name == "seed-2"
    assert "seeds" not in recipe.model_fields_set


def test_mean_deviation_and_interval_are_scipys() -> None:
    found = [0.81, 0.84, 0.80, 0.86]
    row = summary(found)
    assert (row["mean"], row["std"]) == pytest.approx((np.mean(found), np.std(found, ddof=1)))
    assert (row["min"], row["max"], row["values"]) == (0.80, 0.86, found)
    expected = t.interval(0.95, 3, loc=np.mean(found), scale=np.std(found, ddof=1) / 2)
    assert row["interval"] == pytest.approx(expected)


def test_one_seed_has_no_spread_and_equal_seeds_have_none_left() -> None:
    assert summary([0.5]) == {
        "mean": 0.5, "std": None, "min": 0.5, "max": 0.5, "interval": None, "values": [0.5]
    }  # fmt: skip
    assert summary([0.5, 0.5])["interval"] == [0.5, 0.5]


def test_only_numbers_that_every_seed_has_are_summarized() -> None:
    measured = [{"test": {"n": 4, "f1": 0.5, "table": {}}}, {"test": {"n": 4, "f1": 1, "table": {}, "extra": 1.0}}]
    assert list(SeedRuns(Path()).summarize([1, 2], measured)["test"]) == ["f1"]


def test_the_table_for_people(tmp_path: Path) -> None:
    measured = [{"test": {"n": 4, "f1": value}} for value in (0.5, 0.75)]
    (tmp_path / "seeds.json").write_text(json.dumps(SeedRuns(Path()).summarize([13, 42], measured)), encoding="utf-8")
    assert list(SeedRuns.load(tmp_path).lines()) == [
        "test, seeds 13, 42",
        "  Student's t over 2 seeds: the intervals assume a normal distribution",
        "  metric                      mean       std       min       max       95% interval   seed 13   seed 42",
        "  f1                        0.6250    0.1768    0.5000    0.7500  [-0.9633, 2.2133]    0.5000    0.7500",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": []}, "recipe: seeds: names no seed; give some, e.g. [13, 42, 87], or remove it"),
        ({"seeds": [1, 2, 1]}, "recipe: seeds: 1 is named twice; keep one of them"),
        ({"seeds": [-1]}, "recipe: seeds: must be from 0 to 4294967295; found -1"),
        ({"training": {"seed": 1}}, "recipe: training.seed: the recipe also has seeds, one for each training; remove "
         "one of the two"),
        ({"hub": {"repo_id": "org/x"}}, "recipe: hub: there is a run for each seed; remove it, and push the one you "
         "choose with hf-tasks push"),
    ],
)  # fmt: skip
def test_seeds_that_cannot_be(values: dict[str, Any], changes: dict[str, Any], message: str) -> None:
    assert problems(values | changes) == message


def test_one_training_alone_takes_no_seeds(values: dict[str, Any]) -> None:
    with pytest.raises(
        RecipeError, match=r"^seeds: only one run can be trained here; remove it, or write one seed as training.seed$"
    ):
        train(from_dict(values))


def test_other_files_are_left_alone(values: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "thesis.tex").write_text("x")
    with pytest.raises(
        RunError, match=r"runs: contains thesis.tex, which is not a run of a seed; choose another --output-dir$"
    ):
        seeds.train(from_dict(values))


def test_a_group_is_not_a_run(tmp_path: Path) -> None:
    (tmp_path / "seed-13").mkdir()
    (tmp_path / "seed-13" / "recipe.yaml").write_text("name: x")
    with pytest.raises(RunError, match=r"contains the runs of several seeds; name one of them, e.g. .*/seed-13$"):
        Run.load(tmp_path)
    with pytest.raises(
        RunError, match=r"there are no runs of several seeds \(no seeds.json\); train a recipe with seeds$"
    ):
        SeedRuns.load(tmp_path)


def group(folder: Path, values: list[float]) -> SeedRuns:
    folder.mkdir()
    measured = [{"test": {"n": 4, "f1": value}} for value in values]
    (folder / "seeds.json").write_text(
        json.dumps(SeedRuns(Path()).summarize(range(len(values)), measured)), encoding="utf-8"
    )
    return SeedRuns.load(folder)


def test_two_groups_are_compared_by_welch(tmp_path: Path) -> None:
    """Differences of the means: 0.1, standard error sqrt(0.01 / 3 + 0.0025 / 3); by the tables of t."""
    first, second = group(tmp_path / "a", [0.5, 0.6, 0.7]), group(tmp_path / "b", [0.65, 0.7, 0.75])
    (low, high), p = welch([0.5, 0.6, 0.7], [0.65, 0.7, 0.75])
    error = (0.01 / 3 + 0.0025 / 3) ** 0.5
    freedom = error**4 / ((0.01 / 3) ** 2 / 2 + (0.0025 / 3) ** 2 / 2)
    assert (low + high) / 2 == pytest.approx(0.1)
    assert (high - low) / 2 == pytest.approx(t.ppf(0.975, freedom) * error)
    assert p == pytest.approx(2 * t.sf(0.1 / error, freedom))
    lines = list(compare(first, second, "test"))
    assert len(lines) == 3
    assert lines[2].split()[:4] == ["f1", "0.6000", "0.7000", "+0.1000"]
    assert lines[2].endswith("Welch's t")


def test_groups_that_cannot_be_compared(tmp_path: Path) -> None:
    first, second = group(tmp_path / "a", [0.5, 0.6]), group(tmp_path / "b", [0.5])
    with pytest.raises(RunError, match=r"b: has only one seed; a test of means needs at least two$"):
        list(compare(first, second, "test"))
    with pytest.raises(RunError, match=r"a: its seeds have no validation split; choose another one with --split$"):
        list(compare(first, second, "validation"))
    assert welch([0.5, 0.5], [0.5, 0.5]) == ((0.0, 0.0), 1.0)
    assert welch([0.5, 0.5], [0.75, 0.75]) == ((0.25, 0.25), 0.0)


def test_groups_on_other_data_are_not_compared(tmp_path: Path) -> None:
    groups = [group(tmp_path / name, [0.5, 0.6]) for name in ("a", "b")]
    for one, digest in zip(groups, ("1", "2"), strict=True):
        data = {"test": {"files": {"test.csv": digest}, "rows_sha256": "3"}}
        (one.path / "seeds.json").write_text(json.dumps(one.results | {"data": data}), encoding="utf-8")
    first, second = (SeedRuns.load(one.path) for one in groups)
    with pytest.raises(RunError) as e:
        list(compare(first, second, "test"))
    assert str(e.value) == f"{second.path}: its test data are not those of {first.path} (test.csv)"
    assert len(list(compare(first, first, "test"))) == 3


def test_the_commands_print_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    first, second = group(tmp_path / "a", [0.5, 0.75]), group(tmp_path / "b", [0.25, 0.75])
    monkeypatch.setattr(hf_tasks, "train", lambda *_, **__: first)
    training.train("recipe.yaml")
    assert capsys.readouterr().out.splitlines() == ["", *first.lines(), f"The runs are in {first.path}"]
    runs.compare([str(first.path), str(second.path)])
    assert capsys.readouterr().out.splitlines() == list(compare(first, second, "test"))
