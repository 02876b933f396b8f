"""Write the table of recipes/README.md from the cards: `python cards/table.py`. A test compares it with the file."""

import json
import re
from pathlib import Path
from typing import Any

from hf_tasks.core.shipped import shipped, title
from hf_tasks.metrics import is_score
from hf_tasks.recipe import yaml_file

CARDS = Path(__file__).parent
README = CARDS.parent / "recipes" / "README.md"
HEAD = "| recipe | task | measured | baseline | seed | date | time |\n| --- | --- | --- | --- | --- | --- | --- |"
OLD = "†"


def table() -> str:
    """The rows of all shipped recipes; one without a card has no figures."""
    return "\n".join([HEAD, *(_row(name, path) for name, path in shipped().items())])


def _row(name: str, path: Path) -> str:
    file = CARDS / name / "results.json"
    if not file.is_file():
        return f"| `{name}` | {title(path)} | not run here | | | | |"
    results: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    split = "test" if "test" in results else "validation"
    scores = results[split]
    metric = next(key for key, value in scores.items() if isinstance(value, (int, float)) and is_score(key))
    interval = scores.get("intervals", {}).get(metric)
    measured = f"{metric} {scores[metric]:.4g}" + (f" [{interval[0]:.4g}, {interval[1]:.4g}]" if interval else f" {OLD}")
    baseline = results.get("baseline", {}).get("parts", {}).get(split, {}).get(metric)
    seed = yaml_file.read(CARDS / name / "recipe.yaml").values["training"].get("seed", 42)
    training = results["training"]
    cells = (
        f"`{name}`", title(path), f"{measured} on {split}", "" if baseline is None else f"{baseline:.3g}", str(seed),
        training.get("ended", "")[:10], f"{max(1, round(training['seconds'] / 60))} min",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def written(text: str) -> str:
    """The text of recipes/README.md with the table between its markers."""
    return re.sub(r"(?s)(?<=<!-- recipes -->\n).*(?=\n<!-- end -->)", lambda _: table(), text)


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
