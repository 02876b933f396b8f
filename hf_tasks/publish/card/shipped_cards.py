"""Keep a run's card where it can be made again: recipe, results, card and pictures, without weights and folders."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks import recipe as recipes
from hf_tasks.publish import redact
from hf_tasks.publish.card.pictures import draw
from hf_tasks.publish.card.render import render
from hf_tasks.recipe import Recipe, yaml_file

if TYPE_CHECKING:
    from hf_tasks.runs.run import Run

RECIPE, RESULTS, CARD = "recipe.yaml", "results.json", "README.md"


def publish(run: "Run", folder: Path) -> Path:
    """Write `folder`/NAME with all that the card of a run is made from, and the card; its path."""
    target = folder / run.recipe.name.replace("-", "_")
    target.mkdir(parents=True, exist_ok=True)
    (target / RECIPE).write_text(redact.to_yaml(run.recipe), encoding="utf-8")
    shown = json.dumps(_without_places(run.results), ensure_ascii=False, indent=1)
    (target / RESULTS).write_text(redact.redacted(shown) + "\n", encoding="utf-8")
    (target / CARD).write_text(published(target), encoding="utf-8")
    draw(run.results, target)
    return target


def published(target: Path) -> str:
    """The card that the recipe and the results in a folder give."""
    recipe: Recipe = recipes.validate(yaml_file.read(target / RECIPE))
    return render(recipe, json.loads((target / RESULTS).read_text(encoding="utf-8")))


def _without_places(results: dict[str, Any]) -> dict[str, Any]:
    """Results whose data files are named without their folders."""
    splits = {
        name: split | {"files": {file.rpartition("/")[2]: digest for file, digest in split["files"].items()}}
        for name, split in results.get("data", {}).items()
    }
    return results | {"data": splits}
