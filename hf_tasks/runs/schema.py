"""The types of the values in a run's files, which can be untrusted; `json_files` checks them.

Keys that are not named here hold plain values: numbers, strings, null, or short tables of them.
"""

from typing import Annotated, Any, Literal

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, PlainValidator

LARGEST_INTEGER = 1 << 53
LONGEST_STRING = 1_000_000
LONGEST_NAME = 10_000
MOST = 100_000
"""Maximum number of entries of a table or list."""
DEEPEST = 3
"""Maximum depth of nested tables."""


def _plain(value: Any, depth: int = 0) -> Any:
    match value:
        case None | bool() | float():
            return value
        case int() if abs(value) <= LARGEST_INTEGER:
            return value
        case str() if len(value) <= LONGEST_STRING:
            return value
        case dict() | list() if len(value) <= MOST and depth < DEEPEST:
            for one in value.values() if isinstance(value, dict) else value:
                _plain(one, depth + 1)
            return value
    raise ValueError("must be a number, a string, null, or a table of them, and not too large")


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        raise ValueError("must be a number")
    return value


Plain = Annotated[Any, PlainValidator(_plain)]
Number = Annotated[float, PlainValidator(_number)]
"""A number, NaN if a metric is undefined."""
Finite = Annotated[float, AllowInfNan(False), Field(ge=-1e300, le=1e300)]
Count = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]
Text = Annotated[str, Field(max_length=LONGEST_STRING)]
Name = Annotated[str, Field(max_length=LONGEST_NAME)]
Texts = Annotated[list[Text], Field(max_length=MOST)]


class Values(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    __pydantic_extra__: dict[str, Plain]


class PredictionValues(Values):
    """The keys of predictions of all tasks."""

    score: float = 0.0
    labels: Texts = []
    probabilities: dict[str, float] | list[float] = {}
    tokens: Texts = []
    tags: Texts = []
    words: Texts = []
    scores: list[float] = []
    answer: Text = ""
    prediction: Text = ""
    candidates: Texts = []
    null_score_diff: Number = 0.0
    perplexity: Finite | None = None
    log_likelihood: Finite = 0.0
    masked: Count = 0
    correct: Count = 0
    cut: bool = False


class ExampleValues(Values):
    input: dict[Name, Annotated[Any, PlainValidator(lambda value: _input(value))]]
    prediction: PredictionValues


def _input(value: Any) -> Any:
    strings = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) and len(one) <= LONGEST_STRING for one in strings):
        raise ValueError("must be a string or a list of strings")
    return value


class Measured(Values):
    """The metrics of a split and tables of metrics."""

    n: Count
    intervals: dict[Name, Annotated[list[Number], Field(min_length=2, max_length=2)]] = {}
    notes: dict[Name, Text] = {}


class FilesValues(Values):
    """Facts about a split."""

    files: dict[Name, Name] = {}
    rows_sha256: Name | None = None


class SplitValues(FilesValues):
    examples: Count
    features: Count
    dropped: Count
    tokens_cut: Count
    files: dict[Name, Name]


class TrainingValues(Values):
    steps: Count
    epochs: Finite
    seconds: Finite
    parameters: Annotated[int, Field(gt=0, le=LARGEST_INTEGER)]
    parameters_trained: Count
    precision: Name
    world_size: Count | None = None
    best_step: Count | None = None
    kept_epoch: Finite | None = None
    train_seconds: Finite = 0.0
    samples_per_second: Finite | None = None
    tokens_per_second: Finite | None = None
    padding: Finite | None = None
    peak_memory_bytes: Count = 0
    saved_bytes: Count = 0
    ended: Name = ""


class Environment(Values):
    """The content of environment.json."""

    python: Name = ""
    platform: Name = ""
    processor: Name = ""
    cpu_count: Count | None = None
    accelerator: Name | None = None
    threads: Count | None = None
    packages: dict[Name, Name] = {}
    recipe_folder: Name | None = None
    recipe_revision: Name | None = None
    seeds: dict[Name, Count | None] = {}


class Machine(Environment):
    """The section `environment` of results.json."""

    python: Name
    platform: Name
    processor: Name
    cpu_count: Count | None
    accelerator: Name | None
    packages: dict[Name, Name]


class Base(Values):
    source: Name = Field("", alias="from")
    revision: Name | None = None
    model_type: Name | None = None
    license: Name | None = None
    card: Name = ""


class CurveValues(Values):
    train: Annotated[list[Annotated[list[Number], Field(min_length=2, max_length=2)]], Field(max_length=MOST)]
    validation: Annotated[list[Annotated[list[Number], Field(min_length=3, max_length=3)]], Field(max_length=MOST)]


class Baseline(Values):
    what: Text
    parts: dict[Name, dict[Name, Number]]
    others: Annotated[list["Baseline"], Field(max_length=MOST)] = []


class Energy(Values):
    source: Text = Field(alias="from")
    watts: Finite
    wh: Finite


ABSENT: Any = None
"""The default of keys that may be missing, but not null."""


class Results(Values):
    """The content of results.json; keys are optional, null is only allowed by types with None."""

    validation: Measured = ABSENT
    test: Measured = ABSENT
    example: ExampleValues = ABSENT
    data: dict[Name, SplitValues] = {}
    training: TrainingValues = ABSENT
    environment: Machine = ABSENT
    base: Base = ABSENT
    curve: CurveValues = ABSENT
    energy: Energy | None = None
    baseline: Baseline | None = None
    arguments: dict[Name, Plain] = {}
    sha256: dict[Name, Name] = {}
    labels: dict[Name, dict[Name, Count]] = {}
    samples: Annotated[list[dict[Name, Text]], Field(max_length=MOST)] = []
    findings: Texts = []
    checked: Texts = []
    layer_weights: Annotated[list[Finite], Field(max_length=MOST)] = []
    layer_gamma: Finite = 1.0


class TrainStats(Values):
    """The content of train_stats.json: parameters of metrics, no other keys."""

    model_config = ConfigDict(extra="forbid")
    scheme: Name | None = None
    known_words: list[Name] = []
    known_entities: list[Name] = []


class OriginValues(Values):
    """The origin of a training, see `origin.Origin`."""

    model_config = ConfigDict(extra="forbid")
    recipe: dict[Name, Plain]
    data: dict[Name, dict[Name, Name]]
    base: dict[Name, dict[Name, Name]]
    packages: dict[Name, Name]
    processes: Count
    machine: dict[Name, Plain]


class Status(Values):
    """The content of status.json."""

    status: Literal["running", "interrupted", "failed", "finished"]
    message: Text
    origin: OriginValues | None = None
    pushed: dict[Name, Plain] | None = None


class Spread(Values):
    mean: Finite
    values: Annotated[list[Number], Field(min_length=1, max_length=MOST)]


class Seeds(Values):
    """The content of seeds.json."""

    seeds: Annotated[list[Count], Field(min_length=1, max_length=MOST)]
    validation: dict[Name, Spread] = {}
    test: dict[Name, Spread] = {}
    data: dict[Name, FilesValues] = {}


class Folds(Values):
    """The content of folds.json."""

    folds: Annotated[list[Count], Field(min_length=1, max_length=MOST)]
    test: dict[Name, Spread] = {}
    pooled: Measured
    data: dict[Name, FilesValues] = {}


class LogRow(Values):
    step: Count | None = None
