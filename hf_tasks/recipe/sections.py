"""The sections of a recipe that say nothing about learning: `card`, `hub` and `sweep`."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from hf_tasks.core.errors import RecipeError
from hf_tasks.core.section import Section
from hf_tasks.recipe.search_space import Scalar, parse

HubId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[\w.-]+)?$", max_length=96)]
Language = Annotated[str, Field(pattern=r"^([a-z]{2,3}(-[A-Za-z]+)?|multilingual|code)$")]
TEMPLATE = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*\.jinja")


class Card(Section):
    language: Language | tuple[Language, ...] | None = None
    """Of the texts: ISO 639 codes (`en`), or `multilingual`."""
    license: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9.-]*$")
    """Of the trained model, by the Hub's identifier (`apache-2.0`); where not given, that of the base model."""
    base_model: HubId | None = None
    """The Hub id of the base model, where `model.name_or_path` is a folder or a package."""
    base_revision: str | None = Field(None, pattern=r"^[0-9a-f]{40}$")
    """The commit of `base_model` that has the same weights; the snippets and the adapter name it."""
    datasets: tuple[HubId, ...] = ()
    """The Hub ids of the data sets that the files come from."""
    data_name: str | None = None
    """What people call the data, e.g. "SQuAD v1.1, a sample"."""
    data_license: str | None = None
    """Of the data, in words."""
    citation: str | None = None
    """BibTeX of the data."""
    intended_use: str | None = None
    """Whom and what the model is for."""
    limits: str | None = None
    """What the model should not be used for, what it is known to get wrong."""
    samples: int = Field(3, ge=0, le=20)
    """Training examples that the card shows."""
    watts: float | None = Field(None, gt=0)
    """Power that the machine drew in training, where it was measured; otherwise it is assumed."""
    template: str | None = None
    """A Jinja template of one's own, beside the recipe or below its folder, whose name ends in .jinja; it may extend
    `card.md.jinja`."""

    @field_validator("template")
    @classmethod
    def _is_beside(cls, template: str | None) -> str | None:
        if template and not TEMPLATE.fullmatch(template):
            raise ValueError("name a file beside the recipe, or in a folder there, that ends in .jinja")
        return template

    @property
    def languages(self) -> tuple[str, ...]:
        return (self.language,) if isinstance(self.language, str) else self.language or ()


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]{1,96}")


class Hub(Section):
    """A repository of the Hub, and what may be done to it."""

    repo_id: str
    """The repository, ORG/NAME or USER/NAME; it is made where there is none."""
    private: bool = True
    """Whether only those who may see the organization's private models see it. False allows a public one."""
    update: bool = False
    """Whether a repository that holds something already may be changed."""
    revision: str | None = None
    """The branch that is pushed to, made where there is none; the default branch where not given."""
    tag: str | None = None
    """A new tag for the pushed revision."""

    @field_validator("repo_id")
    @classmethod
    def _is_a_name(cls, repo_id: str) -> str:
        if problem := wrong_name(repo_id):
            raise ValueError(problem)
        return repo_id

    def flags(self) -> str:
        """The options of `hf-tasks push` that mean the same, each with a space before it."""
        flags = [*([] if self.private else ["--public"]), *(["--update"] if self.update else [])]
        flags += [f"--revision {self.revision}"] if self.revision else []
        flags += [f"--tag {self.tag}"] if self.tag else []
        return "".join(f" {flag}" for flag in flags)


def wrong_name(repo_id: str) -> str | None:
    """What is wrong with the name of a repository; None where nothing is."""
    name = repo_id.partition("/")[2]
    bad_ends = name.startswith((".", "-")) or name.endswith((".", "-", ".git", ".ipynb"))
    if NAME.fullmatch(repo_id) and not bad_ends and not re.search(r"--|\.\.", repo_id):
        return None
    return (
        f'"{repo_id}" cannot name a repository; write ORG/NAME with letters, digits, dots, dashes and underscores, '
        "no two dots or dashes in a row"
    )


SECONDS = {"s": 1, "m": 60, "h": 3600}


def _readable(text: str | tuple[Scalar, ...]) -> str | tuple[Scalar, ...]:
    parse(text)
    return text


class Sweep(Section):
    """Trainings of the recipe with several values of its keys. Options of the command go before."""

    space: dict[str, Annotated[str | tuple[Scalar, ...], AfterValidator(_readable)]] = {}
    """Dotted key of the recipe: a list of values, or a range: 2..4, 1e-5..1e-3:log."""
    trials: int | None = Field(None, ge=1)
    """Trainings in all. Where not given: every combination of listed values, at most 50; else 20."""
    metric: str | None = None
    """What ranks them, on the validation part; where not given, what chooses the best checkpoint."""
    prune: bool = False
    """Give up a training whose score is below the median of the others' at the same epoch (Golovin et al. 2017,
    https://doi.org/10.1145/3097983.3098043), after five whole ones."""
    keep: int = Field(1, ge=0)
    """Of so many best trainings the run directory is kept."""


def seconds(text: str) -> float:
    """`90s`, `30m`, `1.5h` in seconds. Raises RecipeError."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh])", text.strip())
    if match is None or not float(match[1]):
        raise RecipeError(f"--timeout {text}: is no time; write for example 90s, 30m or 1.5h")
    return float(match[1]) * SECONDS[match[2]]
