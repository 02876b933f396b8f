"""Read a run's JSON files and check their values, since a run can come from an untrusted source.

results.json, environment.json, train_stats.json, status.json, seeds.json, folds.json    an object
training_log.jsonl, predictions/SPLIT.jsonl                                              an object per line
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hf_tasks.core.errors import RunError
from hf_tasks.core.untrusted import parse_json, read_json
from hf_tasks.runs import schema

LONGEST_LINE = 64 << 20
LARGEST_ROWS = 1 << 30
"""Maximum size of a .jsonl file in bytes."""
FILES: dict[str, type[schema.Values]] = {
    "results.json": schema.Results,
    "environment.json": schema.Environment,
    "train_stats.json": schema.TrainStats,
    "status.json": schema.Status,
    "seeds.json": schema.Seeds,
    "folds.json": schema.Folds,
}


def read(path: Path) -> dict[str, Any]:
    """Read one of a run's JSON FILES. Raises RunError with the file and the invalid key."""
    try:
        values = read_json(path)
    except (OSError, ValueError):
        raise RunError(f"{path}: the file is missing or damaged; the run is incomplete, train it again") from None
    return check(path, values)


def check(path: Path, values: Any) -> dict[str, Any]:
    """Return the values of one of FILES unchanged after checking them. Raises RunError."""
    if not isinstance(values, dict):
        raise RunError(f"{path}: is not a JSON object; the run is incomplete, train it again")
    _check(FILES[path.name], values, str(path))
    return values


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read training_log.jsonl or predictions. Raises RunError with the file, the line and the key."""
    kind = schema.LogRow if path.name == "training_log.jsonl" else schema.PredictionValues
    return [row for line, row in enumerate(_rows(path), 1) if _check(kind, row, f"{path}:{line}")]


def _rows(path: Path) -> Iterator[Any]:
    place = str(path)
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_ROWS:
            raise ValueError(f"has more than {LARGEST_ROWS:,} bytes" if path.is_file() else "there is no such file")
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
                place = f"{path}:{number}"
                yield parse_json(line)
    except (OSError, ValueError) as e:
        reason = str(e).splitlines()[0]
        raise RunError(f"{place}: cannot be read: {reason}; restore the file, or train the run again") from None


def _check(kind: type[schema.Values], values: Any, place: str) -> bool:
    try:
        kind.model_validate(values)
    except ValidationError as e:
        error = e.errors(include_url=False)[0]
        key = ".".join(str(step) for step in error["loc"] if "[" not in str(step))[:200]
        found = "" if error["type"] == "missing" else f", found {_shown(error['input'])}"
        where = f"{place}: {key}" if key else place
        raise RunError(f"{where}: {_wrong(error)}{found}; restore the file, or train the run again") from None
    return True


def _wrong(error: Any) -> str:
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "missing":
            return "is missing"
        case "model_type" | "dict_type":
            return "must be a table of keys and values"
    return f"{error['msg'][0].lower()}{error['msg'][1:]}"


def _shown(value: Any) -> str:
    match value:
        case dict() | list():
            return f"a {type(value).__name__}"
        case int() if abs(value) > schema.LARGEST_INTEGER:
            return "a huge number"
    text = repr(value[:60] if isinstance(value, str) else value)
    return text if len(text) <= 60 else text[:57] + "..."
