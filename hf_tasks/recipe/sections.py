"""The `training` section of a recipe, and `early_stopping`.

The `card` section of a recipe: what the model card says and no file can tell.

The `hub` section of a recipe: where the run is pushed when training has ended.

The `sweep` section of a recipe: what `hf-tasks sweep` varies, and how long."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, field_validator

from hf_tasks.core.errors import RecipeError
from hf_tasks.core.section import Section, mirror
from hf_tasks.recipe.search_space import Scalar, parse

if TYPE_CHECKING:
    _Arguments = Section
else:
    _Arguments = mirror("transformers.training_args", "TrainingArguments")

POSITIVE = {"learning_rate", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps"}
INTERVALS = {"logging_steps", "eval_steps", "save_steps"}
NOT_HERE = {
    "hub_token": "a token does not belong in a recipe; remove it, log in with: hf auth login",
    "push_to_hub": "the trainer pushes nothing; remove it, and add hub: {repo_id: ORG/NAME} beside training",
    "label_smoothing_factor": "remove it; a task whose model writes texts has task.label_smoothing",
    "resume_from_checkpoint": "the same command goes on with an interrupted training; remove it",
    "auto_find_batch_size": "a step that does not fit in memory is divided by itself; remove it",
    "enable_jit_checkpoint": "a signal to stop saves a checkpoint by itself; remove it",
    "save_only_model": "an interrupted training goes on from whole checkpoints; remove it",
    "ignore_data_skip": "a training that goes on sees each row as often as any other; remove it",
    "dataloader_drop_last": "every row trains; remove it",
}
"""Keys of TrainingArguments that would be accepted and mean nothing, or harm."""


class Training(_Arguments):
    """transformers.TrainingArguments, under its own key names, and the effective batch."""

    batch_size: int | None = Field(None, ge=1)
    """Rows that one optimizer step learns from, however many processes share them (32 where nothing says otherwise).
    With per_device_train_batch_size: at most so many of them on a device at once."""

    def clashes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Impossible combinations of this section's keys: (key, what is wrong; what to do)."""
        given = self.given()
        for key in POSITIVE & given.keys():
            if not 0 < (given[key] or 0) < float("inf"):
                yield (key,), f"must be a number above 0; found {given[key]}"
        for key in INTERVALS & given.keys():
            if given[key] is not None and not 0 < given[key] < float("inf"):
                yield (key,), f"must be a number of steps above 0, or a share of all steps below 1; found {given[key]}"
        if given.get("max_steps") == 0:
            yield ("max_steps",), "must be 1 or more, or -1 for num_train_epochs; found 0"
        if (given.get("seed") or 0) < 0:
            yield ("seed",), f"must be 0 or more; found {given['seed']}"
        for key in given.keys() & NOT_HERE.keys():
            if given[key]:
                yield (key,), NOT_HERE[key]
        if given.get("batch_size") and given.get("gradient_accumulation_steps"):
            text = "follows from batch_size, the number of processes and per_device_train_batch_size; remove it"
            yield ("gradient_accumulation_steps",), text
        if given.get("train_sampling_strategy") == "batch_rebalance":
            others = '"group_by_length", "random" or "sequential"'
            yield ("train_sampling_strategy",), f"batches must not depend on the number of processes; choose {others}"
        if given.get("bf16") and given.get("fp16"):
            yield ("fp16",), "bf16 and fp16 exclude each other; keep one of them"


class EarlyStopping(Section):
    """Stop when the metric of the best checkpoint no longer improves (transformers.EarlyStoppingCallback)."""

    early_stopping_patience: int = Field(1, ge=1)
    """Evaluations without improvement after which training stops."""
    early_stopping_threshold: float = Field(0.0, ge=0)
    """What counts as improvement, in units of the metric."""


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
