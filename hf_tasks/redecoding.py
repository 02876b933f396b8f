"""A run whose texts are found in another way than its recipe says: `--set decoding.num_beams=5`."""

from collections.abc import Sequence
from pathlib import Path

from hf_tasks import recipe_file
from hf_tasks.errors import RecipeError


def read(path: Path, overrides: Sequence[str] = ()) -> recipe_file.Source:
    """A run's recipe with `decoding.key=value` overrides; another strategy keeps nothing of the old one but the longest
    output. Raises RecipeError for other keys: what was trained stays as it is."""
    before = recipe_file.read(path).values.get("decoding", {})
    source = recipe_file.read(path, tuple(overrides))
    for key, override in source.overrides.items():
        if key[0] != "decoding" or not before:
            what = "only keys of decoding can" if before else "this run writes no texts, nothing can"
            raise RecipeError(f"--set {override}: {what} be changed after training; train again")
    section = source.values.get("decoding", {})
    if not before or not isinstance(section, dict):
        return source
    if section.get("name") != before.get("name"):
        given = {name for key in source.overrides for name in (key[1:2] or section)}
        section = {name: value for name, value in section.items() if name in given}
    source.values["decoding"] = {"max_new_tokens": before["max_new_tokens"]} | section
    return source
