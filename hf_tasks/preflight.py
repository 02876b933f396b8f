"""`check`: everything that can be known before training: recipe, data, checkpoint, lengths, size."""

from pathlib import Path

from hf_tasks import evaluation
from hf_tasks.models.load import load_model, load_tokenizer
from hf_tasks.recipe import Recipe
from hf_tasks.training import arguments, prepare, report


def check(recipe: Recipe, *, beside: Path | None = None) -> list[str]:
    """The report that precedes a training, in lines. Raises RecipeError, DataError or RunError."""
    recipe, parts = prepare(recipe, beside)
    arguments(recipe, validated=parts.validation is not None)
    tokenizer = load_tokenizer(recipe.model, recipe.task)
    model = recipe.method.prepare(load_model(recipe.model, recipe.task, tokenizer))
    splits = {name: evaluation.encode(part.examples, recipe.task, tokenizer) for name, part in parts.named().items()}
    return list(report(recipe, parts, splits, model))
