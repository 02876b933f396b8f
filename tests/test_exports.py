"""What `import hf_tasks` gives."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import hf_tasks

NAMES = [
    "DataError", "Recipe", "RecipeError", "Run", "RunError", "UserError", "check", "embed", "evaluate",
    "export", "init", "load_run", "load_runs", "pipeline", "predict", "push", "report", "train",
]  # fmt: skip


def test_these_names_are_exported_and_no_others_are_listed() -> None:
    assert sorted(hf_tasks.__all__) == NAMES
    assert dir(hf_tasks) == sorted([*NAMES, "__version__"])
    assert all(inspect.getdoc(getattr(hf_tasks, name)) for name in NAMES)
    with pytest.raises(AttributeError, match="module 'hf_tasks' has no attribute 'predct'"):
        hf_tasks.predct  # noqa: B018


def test_types_are_shipped() -> None:
    assert (Path(hf_tasks.__file__).parent / "py.typed").is_file()


LIGHT = """
import sys

def loaded():
    print(*sorted({name.partition(".")[0] for name in sys.modules}))

import hf_tasks
loaded()
import hf_tasks.recipe
loaded()
"""


def test_importing_it_loads_no_large_library_and_reading_recipes_no_model_library() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    package, recipe = (set(line.split()) for line in done.stdout.splitlines())
    models = {"torch", "transformers", "peft", "datasets", "pandas", "scipy", "sklearn", "matplotlib"}
    assert "hf_tasks" in package and {"pydantic", "yaml"} < recipe
    assert package & {*models, "numpy", "pydantic", "yaml", "typer"} == set()
    assert recipe & models == set()
