"""Who else is told what a training logs: transformers' own callbacks, each with a place and a name for this run.

A training that goes on after an interruption goes on in the same record: RUN/trackers.json keeps its name.
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hf_tasks import durable
from hf_tasks.block import did_you_mean
from hf_tasks.errors import RecipeError
from hf_tasks.recipe import Recipe

if TYPE_CHECKING:
    from transformers import TrainerCallback

LIBRARIES = ("tensorboard", "wandb", "mlflow", "trackio")
"""Those that `pip install 'hf_tasks[trackers]'` brings; transformers knows more."""
UNLISTED = ("azure_ml", "flyte")
"""Those of which transformers does not tell whether they are installed."""
TRACKERS = "trackers.json"


def named(recipe: Recipe) -> list[str]:
    """The trackers that the recipe names. RecipeError where one is unknown or not installed."""
    from transformers.integrations.integration_utils import (
        INTEGRATION_TO_CALLBACK,
        get_available_reporting_integrations,
    )

    given = recipe.training.given().get("report_to") or "none"
    names = [given] if isinstance(given, str) else list(given)
    names = [] if names == ["none"] else names
    for name in names:
        if name not in INTEGRATION_TO_CALLBACK:
            known = ", ".join(LIBRARIES)
            raise RecipeError(
                f'training.report_to: there is no tracker "{name}"{did_you_mean(name, LIBRARIES)} (among them: {known})'
            )
        if name in LIBRARIES and find_spec(name) is None:
            raise RecipeError(f"training.report_to: {name} is not installed; pip install 'hf_tasks[trackers]'")
        if name not in (*LIBRARIES, *UNLISTED, *get_available_reporting_integrations()):
            raise RecipeError(f"training.report_to: the library of {name} is not installed; install it with pip")
    return names


@contextmanager
def callbacks(recipe: Recipe) -> "Iterator[list[TrainerCallback]]":
    """The callbacks of the named trackers; their records end with it. RecipeError where one cannot be made."""
    names = named(recipe)
    if not names:
        yield []
        return
    from hf_tasks.trainer import tracker_callbacks

    try:
        made = [tracker_callbacks.callback(name, recipe.output_dir, recipe.name) for name in names]
    except (RuntimeError, ImportError, ValueError) as e:
        raise RecipeError(f"training.report_to: {str(e).splitlines()[0]}") from e
    try:
        yield made
    finally:
        tracker_callbacks.close(made)


def identity(run: Path, name: str) -> dict[str, str]:
    """What the trackers call this training: its `name`, and the ids that they gave; the same after an interruption."""
    file = run / TRACKERS
    if not file.is_file():
        durable.write_json(file, {"name": f"{name}-{secrets.token_hex(3)}"})
    return json.loads(file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def remember(run: Path, **ids: str) -> None:
    durable.write_json(run / TRACKERS, json.loads((run / TRACKERS).read_text(encoding="utf-8")) | ids)
