"""Every way of adapting a model on three data sets: score, parameters trained, bytes saved, time.

    python benchmarks/methods.py DATA [--runs runs/methods] [--recipes NAME ...] [--methods NAME ...]

DATA holds the folders intent_banking77, sst2 and ner_wnut17. Each run is the shipped recipe with the method's keys set,
same seed; a run that is finished is not repeated, so the table can be made in several sittings. It is printed
as Markdown.
"""

import argparse
from pathlib import Path
from typing import Any

RECIPES = {
    "intent_banking77_minilm": ("intent_banking77", "accuracy"),
    "sentiment_sst2_minilm": ("sst2", "accuracy"),
    "ner_wnut17_minilm": ("ner_wnut17", "entity_f1"),
}
"""The folder of each recipe's data, and its metric."""
METHODS: dict[str, list[str]] = {
    "full": [],
    "frozen": ["method.name=frozen", "training.num_train_epochs=20"],
    "frozen, weighted layers": ["method.name=frozen", "model.weighted_layers=true", "training.num_train_epochs=20"],
    "gradual-unfreezing": ["method.name=gradual-unfreezing", "method.epochs_per_block=0.25"],
    "bitfit": ["method.name=bitfit"],
    "bottleneck-adapter, houlsby": ["method.name=bottleneck-adapter", "method.variant=houlsby"],
    "bottleneck-adapter, pfeiffer": ["method.name=bottleneck-adapter", "method.variant=pfeiffer"],
    "lora": ["method.name=lora", "training.learning_rate=2e-3"],
}
RECIPES_RATE = ("full", "gradual-unfreezing", "lora")
"""Methods without a learning rate of their own here: the recipe's, or the one above; the others have a default."""


def settings(recipe: str, method: str, data: Path) -> list[str]:
    """The overrides of one run."""
    from hf_tasks import recipe as recipes
    from hf_tasks.core.shipped import find

    changes = [f"data.data_dir={data}", *METHODS[method]]
    if method not in RECIPES_RATE:
        changes.append(f"training.learning_rate={recipes.load(find(recipe), changes).method.learning_rate}")
    return changes


def measured(recipe: str, method: str, data: Path, runs: Path) -> dict[str, Any]:
    """The results of one run, trained now or before."""
    import hf_tasks

    folder = runs / f"{recipe}-{method.replace(', ', '-').replace(' ', '-')}"
    if not (folder / "results.json").exists():
        changes = [*settings(recipe, method, data), f"training.output_dir={folder}"]
        return hf_tasks.train(recipe, changes, overwrite=True).results
    return hf_tasks.load_run(folder).results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs/methods"))
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=RECIPES)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    options = parser.parse_args()
    print("| method | data | test score | parameters trained | saved | epochs | training |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for recipe in options.recipes:
        folder, metric = RECIPES[recipe]
        for method in options.methods:
            results = measured(recipe, method, options.data / folder, options.runs)
            facts = results["training"]
            print(
                f"| {method} | {recipe} | {metric} {results['test'][metric]:.4f} | "
                f"{facts['parameters_trained']:,} ({facts['parameters_trained'] / facts['parameters']:.2%}) | "
                f"{facts['saved_bytes'] / 1e6:.1f} MB | {facts['epochs']:.0f} | {facts['train_seconds']:.0f} s |",
                flush=True,
            )


if __name__ == "__main__":
    main()
