"""What holds for every task of the union: the two laws, and the same outputs from what was saved. A task is tested here
once it has a sample in samples.py."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import processes
import pytest
import torch
from conftest import Tiny
from samples import SAMPLES, Sample

from hf_tasks import data, metrics
from hf_tasks.decoding.generate import Generated
from hf_tasks.models.load import load_tokenizer
from hf_tasks.recipe import from_dict
from hf_tasks.runs import evaluation, model_files
from hf_tasks.runs.staged_run import StagedRun
from hf_tasks.tasks import AnyTask, Task
from hf_tasks.tasks.collate import items_in, model_inputs
from hf_tasks.tasks.types import max_input_length
from hf_tasks.training.setup import with_decoding

NAMES = [name for kind in get_args(get_args(AnyTask)[0]) for name in get_args(kind.model_fields["name"].annotation)]
CASES = [pytest.param(sample, id=f"{sample.task['name']}-{i}") for i, sample in enumerate(SAMPLES)]
PER_TASK = 12
"""Public names of a task beside the keys that every recipe can give."""


def test_every_task_has_a_sample() -> None:
    assert {sample.task["name"] for sample in SAMPLES} == set(NAMES)


def test_the_interface_has_twelve_names() -> None:
    own = {name for name in vars(Task) if not name.startswith(("_", "model_config", "model_fields"))}
    keys = set(Task.model_fields)
    contract = {name for name in own - keys if callable(getattr(Task, name)) or isinstance(vars(Task)[name], property)}
    assert contract - {"clashes"} == {
        "columns", "traits", "model_spec", "parse", "fit", "train_stats", "issues", "encode", "collator", "loss",
        "postprocessor", "metric_inputs",
    }  # fmt: skip


class Ready:
    """A sample with its fitted task, tokenizer, model and split."""

    def __init__(self, sample: Sample, tiny: Tiny, folder: Path) -> None:
        rows, path = [json.loads(json.dumps(row)) for row in sample.rows], folder / "rows.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        recipe = from_dict(
            {
                "name": "law",
                "task": sample.task | {"max_length": 32},
                "data": {"train": str(path), "validation_size": 0},
                "model": {"name_or_path": str(tiny(sample.architecture))},
                "training": {"output_dir": str(folder / "run")},
            }
        )
        split = data.read_rows(rows, recipe.task, labelled=True)
        task = recipe.task.fit(split.examples)
        assert list(task.issues(split.examples).errors) == []
        self.sample, self.task, self.rows = sample, task, rows
        self.tokenizer = load_tokenizer(recipe.model, task)
        torch.manual_seed(0)
        recipe = recipe.model_copy(update={"task": task})
        self.model: Any = model_files.build_model(recipe, self.tokenizer).eval()
        self.recipe = with_decoding(recipe, self.model)
        self.encoded = evaluation.encode(split.examples, task, self.tokenizer)

    def batch(self, rows: list[int]) -> dict[str, Any]:
        columns = self.encoded.features[rows]
        features = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return self.task.collator(self.tokenizer, self.model)(features)


@pytest.fixture(scope="module")
def ready(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Any:
    built: dict[int, Ready] = {}

    def of(sample: Sample) -> Ready:
        if id(sample) not in built:
            built[id(sample)] = Ready(sample, tiny, tmp_path_factory.mktemp("law"))
        return built[id(sample)]

    return of


def _perfect_items(case: Ready) -> list[Any]:
    """What the postprocessor reads, if the model were perfect."""
    if case.task.traits.writes_text:
        labels = case.encoded.features["labels"][:]
        return [Generated(case.tokenizer.decode(ids, skip_special_tokens=True), False) for ids in labels]
    items = []
    for row in range(len(case.encoded.features)):
        outputs = case.sample.perfect(case.batch([row]), case.model)
        items += case.task.postprocessor().reduce(outputs, case.encoded.features[[row]])
    return items


@pytest.mark.parametrize("sample", CASES)
def test_alignment_and_round_trip(ready: Any, sample: Sample) -> None:
    case = ready(sample)
    items = _perfect_items(case)
    predictions = case.task.postprocessor().decode(items, replace(case.encoded, support=items))
    inputs = case.task.metric_inputs(predictions, case.encoded.examples)
    assert len(predictions) == len(inputs.predictions) == len(inputs.references) == len(case.rows)
    context = evaluation.metric_arguments(case.task, inputs, case.task.train_stats(case.encoded.examples))
    values = metrics.score(case.task.metrics[:1], inputs.predictions, inputs.references, context)
    name = next(name for name in values if name != "n")
    assert values[name] == pytest.approx(case.sample.best, abs=1e-6)
    stored = case.task.metric_inputs(json.loads(json.dumps(predictions)), case.encoded.examples)
    again = metrics.score(case.task.metrics, stored.predictions, stored.references, context)
    assert again == metrics.score(case.task.metrics, inputs.predictions, inputs.references, context)


@pytest.mark.parametrize("sample", CASES)
def test_a_task_that_is_fitted_stays_as_it_is(ready: Any, sample: Sample) -> None:
    case = ready(sample)
    assert case.task.fit(case.encoded.examples) == case.task
    stored = json.loads(case.recipe.model_dump_json(exclude_unset=True))
    assert from_dict(stored).task == case.task


@pytest.mark.parametrize("sample", CASES)
def test_features_are_what_the_contract_says(ready: Any, sample: Sample) -> None:
    case = ready(sample)
    features = case.encoded.features
    assert {"input_ids", "example", "length", "tokens_cut", "labels"} <= set(features.column_names)
    assert sorted(set(features["example"][:])) == list(range(len(case.rows)))
    limit = max_input_length(case.task.max_length, case.tokenizer) + (case.task.traits.max_target_length or 0)
    assert max(features["length"][:]) <= limit
    bare = data.read_rows([{k: v for k, v in row.items() if k not in case.task.columns.targets} for row in case.rows],
                          case.task, labelled=False)  # fmt: skip
    unlabelled = evaluation.encode(bare.examples, case.task, case.tokenizer).features
    if "positive" in case.encoded.examples.column_names:  # the target is one of the texts
        assert unlabelled["input_ids"][:] == [texts[:1] for texts in features["input_ids"][:]]
    elif not case.task.columns.implied:  # else what is predicted decides what is read
        assert unlabelled["input_ids"][:] == features["input_ids"][:]
    assert "labels" not in unlabelled.column_names


@pytest.mark.parametrize("sample", CASES)
def test_a_loss_is_the_same_in_pieces(ready: Any, sample: Sample) -> None:
    case = ready(sample)
    if case.task.traits.loss_of_batches:
        pytest.skip("such a loss is computed by training/gradient_cache.py")
    rows = list(range(min(4, len(case.encoded.features))))
    with torch.inference_mode():
        whole = case.batch(rows)
        loss = case.task.loss(case.model(**model_inputs(whole)), whole)
        items = items_in(whole)
        pieces = [{name: tensor[row : row + 1] for name, tensor in whole.items()} for row in rows]
        splits = [case.task.loss(case.model(**model_inputs(piece)), piece, items) for piece in pieces]
    assert loss.dim() == 0
    assert float(sum(map(items_in, pieces))) == pytest.approx(float(items))
    assert float(sum(splits)) == pytest.approx(float(loss), rel=1e-4)


@pytest.fixture(scope="module")
def fresh(ready: Any) -> dict[int, tuple[list[float], list[float]]]:
    """(outputs of the model, outputs of what was saved, in a process of its own) of every sample."""
    expected, paths, examples = [], [], []
    for sample in SAMPLES:
        case = ready(sample)
        case.recipe.output_dir.mkdir(exist_ok=True)
        StagedRun.begin(case.recipe, None)
        run = StagedRun.create(case.recipe, case.model, case.tokenizer, {}, [])
        items, _ = evaluation.outputs(case.model, case.task, case.encoded, case.tokenizer)
        expected.append(evaluation.flat(items).tolist())
        paths.append(str(run.path))
        examples.append(list(case.encoded.examples))
    script = (
        "import io, json, sys\nfrom hf_tasks.runs.verify import main\n"
        "for path, examples in json.load(sys.stdin):\n"
        "    sys.stdin = io.StringIO(json.dumps(examples))\n    main(path)\n    print()\n"
    )
    done = processes.run(["-c", script], input=json.dumps(list(zip(paths, examples, strict=True))))
    assert done.returncode == 0, done.stderr[-2000:]
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    return {id(sample): pair for sample, pair in zip(SAMPLES, zip(expected, found, strict=True), strict=True)}


@pytest.mark.parametrize("sample", CASES)
def test_saved_and_loaded_in_a_fresh_process_it_computes_the_same(fresh: Any, sample: Sample) -> None:
    expected, found = fresh[id(sample)]
    assert len(expected) == len(found) > 0
    np.testing.assert_allclose(found, expected, atol=1e-4)
