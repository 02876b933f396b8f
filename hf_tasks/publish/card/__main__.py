"""Cards of shipped recipes, kept in `cards/` with the recipe and results that they are generated from.

python -m hf_tasks.publish.card FOLDER            generate every card in FOLDER again
python -m hf_tasks.publish.card RUN... FOLDER     add the cards of runs to FOLDER, or replace them
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from hf_tasks import recipe as recipes
from hf_tasks.core.errors import UserError
from hf_tasks.publish import redact
from hf_tasks.publish.card.render import render
from hf_tasks.publish.plots import draw_card
from hf_tasks.recipe import Recipe, yaml_file
from hf_tasks.runs import counts
from hf_tasks.runs.run import Run

RECIPE, RESULTS, CARD = "recipe.yaml", "results.json", "README.md"


def add(run: Run, folder: Path) -> Path:
    """Write recipe, results, counts, card and plots of a run, without weights and local folders, to `folder`/NAME; its
    path."""
    target = folder / run.recipe.name.replace("-", "_")
    target.mkdir(parents=True, exist_ok=True)
    (target / RECIPE).write_text(redact.to_yaml(run.recipe), encoding="utf-8")
    (target / RESULTS).write_text(redact.redacted(_without_folders(run.results)) + "\n", encoding="utf-8")
    if (run.path / counts.FOLDER).is_dir():
        shutil.copytree(run.path / counts.FOLDER, target / counts.FOLDER, dirs_exist_ok=True)
    return update(target)


def update(target: Path) -> Path:
    """Generate the card and the plots in `target` from its recipe and results; its path."""
    (target / CARD).write_text(generated(target), encoding="utf-8")
    draw_card(json.loads((target / RESULTS).read_text(encoding="utf-8")), target)
    return target


def generated(target: Path) -> str:
    """The card that the recipe and the results in `target` give."""
    recipe: Recipe = recipes.validate(yaml_file.read(target / RECIPE))
    return render(recipe, json.loads((target / RESULTS).read_text(encoding="utf-8")))


def main(runs: list[str], folder: Path) -> None:
    """Add the cards of runs to a folder; without runs, generate its cards again."""
    for run in runs:
        print(add(Run.load(run), folder))
    for results in sorted(folder.glob(f"*/{RESULTS}")) if not runs else []:
        print(update(results.parent))


def _without_folders(results: dict[str, Any]) -> str:
    """Results as JSON whose data files are named without their folders, in the findings too."""
    text = json.dumps(results, ensure_ascii=False, indent=1)
    for split in results.get("data", {}).values():
        for file in split["files"]:
            text = text.replace(file, file.rpartition("/")[2])
    return text


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m hf_tasks.publish.card [RUN...] FOLDER")
    try:
        main(sys.argv[1:-1], Path(sys.argv[-1]))
    except UserError as e:
        sys.exit(f"error: {e}")
