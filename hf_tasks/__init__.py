"""Fine-tune pretrained language models from one recipe file to a measured model.

>>> import hf_tasks
>>> run = hf_tasks.train("quickstart", {"training.num_train_epochs": 5})
>>> run.metrics["test"]["accuracy"]
>>> run.predict("Where is my card?", top=3)
>>> run.predict(["Where is my card?", "I lost my phone"]).to_frame()
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeAlias, TypeVar

from hf_tasks.core.errors import DataError, RecipeError, RunError, UserError

if TYPE_CHECKING:
    from numpy import ndarray

    from hf_tasks.publish.hub.push import Pushed
    from hf_tasks.recipe import Recipe
    from hf_tasks.runs.run import Run
    from hf_tasks.runs.scores import Scores
    from hf_tasks.training.folds import FoldRuns
    from hf_tasks.training.seeds import SeedRuns

    Overrides: TypeAlias = Mapping[str, Any] | Sequence[str]
    RecipeLike: TypeAlias = str | Path | Recipe | Mapping[str, Any] | None
    RunLike: TypeAlias = str | Path | Run

__all__ = [
    "DataError", "Recipe", "RecipeError", "Run", "RunError", "UserError", "check", "embed", "evaluate",
    "export", "init", "load_run", "load_runs", "pipeline", "predict", "push", "report", "train",
]  # fmt: skip
__version__ = "0.1.0"

_CLASSES = {"Recipe": "hf_tasks.recipe", "Run": "hf_tasks.runs.run"}
"""Exported classes, whose modules are imported on first use, so that `import hf_tasks` loads no other library."""
_FLAGS = ("merge", "overwrite", "public", "update")
_P = ParamSpec("_P")
_T = TypeVar("_T")


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(import_module(_CLASSES[name]), name)
    raise AttributeError(f"module 'hf_tasks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def _in_python(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Return the function with error messages that name Python arguments instead of command-line options.

    The attribute `problems` of an error keeps the messages of the command line.
    """

    @wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return function(*args, **kwargs)
        except UserError as e:
            e.args = (_python_words(str(e)),)
            raise

    return wrapper


def _python_words(text: str) -> str:
    if "hf-tasks " in text:  # the suggested command keeps its options
        return text
    text = re.sub(rf"--({'|'.join(_FLAGS)})\b", r"\1=True", text.replace("--set ", "override "))
    return re.sub(r"(?<!\S)--([a-z]+(?:-[a-z]+)*)", lambda option: option[1].replace("-", "_"), text)


@_in_python
def train(
    recipe: "RecipeLike" = None,
    overrides: "Overrides" = (),
    *,
    train: Any = None,
    validation: Any = None,
    test: Any = None,
    task: str | Mapping[str, Any] | None = None,
    model: str | Mapping[str, Any] | None = None,
    method: str | Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    **training: Any,
) -> "Run | SeedRuns | FoldRuns":
    """Train a recipe and return the saved run, or the runs if the recipe has `seeds` or `data.folds`.

    `recipe`: a file, a shipped recipe's name, a dict or a Recipe; by default the one that `init` proposes for the data.
    `overrides`: {"training.learning_rate": 3e-5}, or "key=value" strings. `train`, `validation`, `test`: a pandas
    DataFrame, a datasets.Dataset, a list of dicts, or files. `columns`: {"label": "name in the data"}. `training`: keys
    of transformers.TrainingArguments, e.g. learning_rate. Raises RecipeError, DataError or RunError.

    >>> run = hf_tasks.train(train=frame, test=other, model="distilbert/distilbert-base-uncased", learning_rate=5e-5)
    """
    from hf_tasks.recipe.from_python import Given, recipe_of
    from hf_tasks.recipe.resolve import resolve_early

    splits = {"train": train, "validation": validation, "test": test}
    sections = {"task": task, "model": model, "method": method}
    given = Given(splits, sections, columns or {}, training, output_dir)
    loaded, recipe_dir = recipe_of(recipe, overrides, given)
    with _located(recipe, overrides):
        resolved = None if loaded.is_several or loaded.output_dir.exists() else resolve_early(loaded, recipe_dir)
        from hf_tasks.training import folds, seeds
        from hf_tasks.training import train as train_recipe

        if loaded.seeds is not None:
            return seeds.train(loaded, recipe_dir=recipe_dir, overwrite=overwrite)
        if loaded.is_several:
            return folds.train(loaded, recipe_dir=recipe_dir, overwrite=overwrite)
        return train_recipe(loaded, recipe_dir=recipe_dir, overwrite=overwrite, resolved=resolved)


@_in_python
def check(recipe: "RecipeLike", overrides: "Overrides" = (), *, dry_run: bool = True) -> list[str]:
    """Check a recipe, its data and model before training; return the report as lines.

    `dry_run`: run a few real training steps to measure time and memory.

    Raises RecipeError, DataError or RunError.
    """
    from hf_tasks.recipe.from_python import Given, recipe_of
    from hf_tasks.recipe.resolve import resolve_early

    loaded, recipe_dir = recipe_of(recipe, overrides, Given())
    with _located(recipe, overrides):
        resolved = resolve_early(loaded, recipe_dir)
        from hf_tasks.training.check import check as check_recipe

        return check_recipe(loaded, recipe_dir=recipe_dir, dry_run=dry_run, resolved=resolved)


@_in_python
def init(
    *data: str | Path,
    output: str | Path | None = None,
    model: str | None = None,
    task: str | None = None,
    text: str | None = None,
    pair: str | None = None,
    label: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Propose a recipe for data files, globs or a folder, write it to `output` (by default NAME.yaml), return the path.

    `text`, `pair`, `label`: names of columns. Raises DataError or RecipeError.
    """
    from hf_tasks.recipe import init as proposals

    found = proposals.propose([str(path) for path in data], model, proposals.Wishes(task, text, pair, label))
    return proposals.write(found, Path(output) if output else None, overwrite=overwrite)


@_in_python
def load_run(
    path: str | Path, overrides: "Overrides" = (), *, dtype: Literal["float32", "bfloat16"] = "float32"
) -> "Run":
    """Load the run in a directory or on the Hub (ORG/NAME, ORG/NAME@REVISION). Raises RunError.

    `overrides`: options of decoding, e.g. {"decoding.num_beams": 5}, for a run that generates text. `dtype`: the
    precision of the model; bfloat16 is faster where the hardware computes it, and rounds.

    >>> load_run("runs/quickstart").predict(["Where is my card?"])
    """
    from hf_tasks.publish.hub.fetch import folder_of
    from hf_tasks.recipe.yaml_file import override_lines
    from hf_tasks.runs.run import Run

    return Run.load(folder_of(path), override_lines(overrides), dtype=dtype)


@_in_python
def load_runs(paths: Mapping[str, str | Path]) -> "dict[str, Run]":
    """Load several runs that share equal tensors in memory. Raises RunError.

    >>> runs = load_runs({"intent": "runs/intent", "sentiment": "runs/sentiment"})
    >>> runs["sentiment"].predict("A quiet, moving film.")
    """
    from hf_tasks.publish.hub.fetch import folder_of
    from hf_tasks.runs.shared_weights import load_runs as load_all

    return load_all({name: folder_of(path) for name, path in paths.items()})


@_in_python
def pipeline(task: str, model: Any = None, tokenizer: Any = None, **options: Any) -> Any:
    """Return a pipeline with the arguments and return values of transformers 4, for a checkpoint or a run.

    `task`: question-answering, summarization, translation, translation_en_to_de (any two languages) or
    text2text-generation, which transformers 5 removed; for any other task, transformers' own pipeline. `model`: a Hub
    id, a folder, the directory of a run, a Run, or a model with its `tokenizer`. `options`: revision, device, dtype,
    and defaults of the arguments of calls. Raises RunError or DataError.

    >>> ask = hf_tasks.pipeline("question-answering", model="deepset/roberta-base-squad2")
    >>> ask(question="Who won?", context="The Denver Broncos beat the Panthers.", top_k=3)
    """
    from hf_tasks.runs.pipelines import pipeline as build

    return build(task, model, tokenizer, **options)


@_in_python
def predict(run: "RunLike", inputs: Any, *, top: int | None = None, batch_size: int = 64) -> Any:
    """Predict with a run or the run at a path, see `Run.predict`. Raises RunError or DataError."""
    return _run(run).predict(inputs, top=top, batch_size=batch_size)


@_in_python
def evaluate(run: "RunLike", inputs: Any) -> "Scores":
    """Evaluate a run or the run at a path on labelled inputs, see `Run.evaluate`. Raises RunError or DataError."""
    return _run(run).evaluate(inputs)


@_in_python
def report(run: "RunLike", output: str | Path | None = None, slices: Sequence[str] = ()) -> Path:
    """Write the HTML report of a run to `output` (by default RUN/report.html) and return the path. Raises RunError.

    `slices`: columns of the data; each value is scored separately.
    """
    from hf_tasks.publish.report import report as write_report

    return write_report(_run(run), Path(output) if output else None, slices)


@_in_python
def export(
    run: "RunLike", output: str | Path, *, merge: bool = False, dtype: Literal["float32", "bfloat16"] = "float32"
) -> Path:
    """Write a run's model as a plain transformers checkpoint into a new folder and return the folder. Raises RunError.

    `merge`: merge an adapter into its base model. `dtype`: of the weights; bfloat16 halves the size, and rounds.
    """
    from hf_tasks.runs.export import export as export_run

    export_run(_run(run), Path(output), merge=merge, dtype=dtype)
    return Path(output)


@_in_python
def embed(
    texts: Any,
    model: str | Path,
    *,
    pool: Literal["cls", "mean"] = "mean",
    layers: str = "last",
    normalize: bool = False,
    batch_size: int = 64,
) -> "ndarray":
    """Return vectors of texts, float32 (N, H); for several `layers` ("all", or "-1,-2") (N, layers, H).

    `texts`: a list of strings, a pandas Series, or a table with a column `text`. `model`: a run's directory, a
    checkpoint's folder, a Hub id, or package:NAME. Raises RunError, RecipeError or DataError.
    """
    from hf_tasks.runs.embed import vectors_of

    return vectors_of(texts, str(model), layers, pool, normalize=normalize, batch_size=batch_size)


@_in_python
def push(run_path: str | Path, repo_id: str, **options: Any) -> "Pushed":
    """Upload a run to the Hub, by default into a new private repository. Raises RunError.

    `options`: private, update, revision, tag, dry_run, predictions, as in `publish.hub.push.push`.
    """
    from hf_tasks.publish.hub.push import push as push_run

    return push_run(run_path, repo_id, **options)


def _run(run: "RunLike") -> "Run":
    """Return the run itself, or load the one at a path."""
    return load_run(run) if isinstance(run, str | Path) else run


def _located(recipe: "RecipeLike", overrides: "Overrides") -> AbstractContextManager[None]:
    """Context manager that adds lines of the recipe file to errors about its keys."""
    from hf_tasks.core.shipped import find
    from hf_tasks.recipe.messages import located
    from hf_tasks.recipe.yaml_file import override_lines

    return located(find(recipe), override_lines(overrides)) if isinstance(recipe, str | Path) else nullcontext()
