"""The sections `card`, `hub` and `sweep` of a recipe."""

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
    """Fields of the model card that cannot be inferred."""

    language: Language | tuple[Language, ...] | None = None
    """Language(s) of the texts: ISO 639 codes (`en`), or `multilingual`."""
    license: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9.-]*$")
    """License of the trained model, by the Hub's identifier (`apache-2.0`); that of the base model by default."""
    base_model: HubId | None = None
    """Hub id of the base model, if `model.name_or_path` is a folder or a package."""
    base_revision: str | None = Field(None, pattern=r"^[0-9a-f]{40}$")
    """Commit of `base_model` that has the same weights; the card's code examples and the adapter refer to it."""
    datasets: tuple[HubId, ...] = ()
    """Hub ids of the datasets that the files come from."""
    data_name: str | None = None
    """Name of the data, e.g. "SQuAD v1.1, a sample"."""
    data_license: str | None = None
    """License of the data."""
    citation: str | None = None
    """BibTeX of the data."""
    intended_use: str | None = None
    """Intended users and uses of the model."""
    limits: str | None = None
    """Limitations: uses that the model is not suited for, known errors."""
    samples: int = Field(3, ge=0, le=20)
    """Number of training examples that the card shows."""
    watts: float | None = Field(None, gt=0)
    """Measured power of the machine in watts during training; otherwise it is estimated."""
    template: str | None = None
    """A custom Jinja template (.jinja) in the recipe's folder or below; it can extend `card.md.jinja`."""

    @field_validator("template")
    @classmethod
    def _is_beside(cls, template: str | None) -> str | None:
        if template and not TEMPLATE.fullmatch(template):
            raise ValueError("name a file that ends in .jinja, in the recipe's folder or below")
        return template

    @property
    def languages(self) -> tuple[str, ...]:
        return (self.language,) if isinstance(self.language, str) else self.language or ()


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]{1,96}")


class Hub(Section):
    """The Hub repository that the run is pushed to."""

    repo_id: str
    """The repository, ORG/NAME or USER/NAME; it is created if it does not exist."""
    private: bool = True
    """Whether the repository must be private; False allows a public one."""
    update: bool = False
    """Whether an existing repository with files may be changed."""
    revision: str | None = None
    """The branch to push to, created if it does not exist; the default branch by default."""
    tag: str | None = None
    """A new tag for the pushed commit."""

    @field_validator("repo_id")
    @classmethod
    def _is_a_name(cls, repo_id: str) -> str:
        if problem := wrong_name(repo_id):
            raise ValueError(problem)
        return repo_id

    def flags(self) -> str:
        """Return the equivalent options of `hf-tasks push`, each with a space before it."""
        flags = [*([] if self.private else ["--public"]), *(["--update"] if self.update else [])]
        flags += [f"--revision {self.revision}"] if self.revision else []
        flags += [f"--tag {self.tag}"] if self.tag else []
        return "".join(f" {flag}" for flag in flags)


def wrong_name(repo_id: str) -> str | None:
    """Return the message for an invalid repository name, or None if it is valid."""
    name = repo_id.partition("/")[2]
    bad_ends = name.startswith((".", "-")) or name.endswith((".", "-", ".git", ".ipynb"))
    if NAME.fullmatch(repo_id) and not bad_ends and not re.search(r"--|\.\.", repo_id):
        return None
    return (
        f'"{repo_id}" is not a valid repository name; write ORG/NAME with letters, digits, dots, dashes, underscores, '
        "no two dots or dashes in a row"
    )


SECONDS = {"s": 1, "m": 60, "h": 3600}


def _readable(text: str | tuple[Scalar, ...]) -> str | tuple[Scalar, ...]:
    parse(text)
    return text


class Sweep(Section):
    """Trainings of the recipe with several values of its keys; the command's options take precedence."""

    space: dict[str, Annotated[str | tuple[Scalar, ...], AfterValidator(_readable)]] = {}
    """Dotted key of the recipe: a list of values, or a range: 2..4, 1e-5..1e-3:log."""
    trials: int | None = Field(None, ge=1)
    """Number of trials; by default all combinations of listed values (at most 50), 20 if there are ranges."""
    metric: str | None = None
    """The metric that ranks trials on the validation split; by default the one that selects the best checkpoint."""
    prune: bool = False
    """Stop a trial whose score is below the median of the others at the same epoch (Golovin et al. 2017,
    https://doi.org/10.1145/3097983.3098043), after five complete trials."""
    keep: int = Field(1, ge=0)
    """Number of best trials whose run directory is kept."""


def seconds(text: str) -> float:
    """Parse a duration such as `90s`, `30m` or `1.5h` into seconds. Raises RecipeError."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh])", text.strip())
    if match is None or not float(match[1]):
        raise RecipeError(f"--timeout {text}: is not a duration; write for example 90s, 30m or 1.5h")
    return float(match[1]) * SECONDS[match[2]]
