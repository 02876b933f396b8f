"""What `import hf_tasks` gives."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import hf_tasks

NAMES = [
    "DataError", "Recipe", "RecipeError", "Run", "RunError", "UserError", "check", "embed", "evaluate",
    "export", "init", "load_run", "load_runs", "predict", "push", "report", "train",
]  # fmt: skip


def test_these_names_are_exported_and_no_others_are_listed() -> None:
    assert sorted(hf_tasks.__all__) == NAMES
    assert dir(hf_tasks) == sorted([*NAMES, "__version__"])
    assert all(inspect.getdoc(getattr(hf_tasks, name)) for name in NAMES)
    with pytest.raises(AttributeError, match="module 'hf_tasks' has no attribute 'predct'"):
        hf_tasks.predct  # noqa: B018


def test_types_are_shipped() -> None:
    assert (Path(hf_tasks.__file__).parent / "py.typed").is_file()


def test_importing_it_loads_no_large_library() -> None:
    script = "import sys, hf_tasks; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    large = {"torch", "transformers", "datasets", "pandas", "numpy", "scipy", "pydantic", "yaml", "typer"}
    assert "hf_tasks" in loaded
    assert large & set(loaded) == set()
