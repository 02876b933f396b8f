"""Checks a card: runs its snippets, compares its numbers with results.json, validates its metadata as the Hub does."""

import math
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from yaml import YAMLError

from hf_tasks.core.untrusted import malformed_as_run_error
from hf_tasks.publish.card import markdown, metadata
from hf_tasks.publish.card.metadata import MODEL_ID
from hf_tasks.publish.card.write import FILE, blocks, generated, read_card
from hf_tasks.publish.card.write import metadata as metadata_of
from hf_tasks.publish.results_view import is_number
from hf_tasks.runs import model_files, recompute

if TYPE_CHECKING:
    from hf_tasks.runs.run import Run

SNIPPET = re.compile(r"^(`{3,})python\n(.*?)^\1$(?:\s*^(`{3,})text\n(.*?)^\3$)?", re.MULTILINE | re.DOTALL)
SPLIT = re.compile(r"^### On (\w+): .*?\n(.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
NUMBERS = re.compile(r"-?\d+(\.\d+)?( to -?\d+(\.\d+)?)?|not defined")
"""A cell with a result, or with the two ends of an interval."""
TOLERANCE = 0.011
"""Largest difference of two printed numbers of two decimals that rounding can cause."""
SECONDS = 600
"""Time limit of a snippet."""
NOT_RUN = (
    "the snippets of the card were not run, because this run was not trained on this machine, or was changed since; "
    "read them, then add --run-snippets"
)
UNREACHED = (
    "the snippet that loads the base model {0} was not run, because the Hub cannot be reached and {0} is not in its "
    "cache; check the card again with a network"
)
REMEDY = "update it with: hf-tasks card RUN --write"


def not_run(run: "Run", allowed: bool) -> str:
    """Which snippets `check` leaves out, and why; "" if none. Python code runs only if the run was trained on this
    machine, or if `allowed`; a snippet that loads the base model from the Hub needs the Hub or its cache."""
    if not allowed and not run.trained_here:
        return NOT_RUN
    base = _base_of_snippet(run)
    return "" if base is None or _can_load(*base) else UNREACHED.format(base[0])


def _base_of_snippet(run: "Run") -> tuple[str, str | None] | None:
    """The Hub id and the commit of the base model that the second snippet loads; None if it loads none."""
    base = metadata.base_id(run.recipe, run.results)
    if base is None or model_files.saved_as(run.recipe) != "peft":
        return None
    return base, metadata.base_revision(run.recipe, run.results)


def _can_load(base: str, revision: str | None) -> bool:
    """Whether the base model is in the cache, or the Hub answers."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        hf_hub_download(base, "config.json", revision=revision)
    except LocalEntryNotFoundError:  # offline, or no connection
        return False
    except Exception:  # the snippet will say what is wrong
        return True
    return True


def check(run: "Run", *, run_snippets: bool = False) -> list[str]:
    """The errors of the card in a run's directory, one line each; empty if there are none.

    `run_snippets`: also run the snippets of a run that was not trained on this machine, or was changed since.
    """
    file = run.path / FILE
    if not file.is_file():
        return [f"{file}: there is no card; write it with: hf-tasks card RUN --write"]
    card = read_card(file)
    model_id = _model_id(card)
    try:
        scores = _scores(card)
    except (ValueError, KeyError, TypeError, AttributeError, YAMLError) as e:
        return [f"{file}: the metadata are not valid: {str(e).splitlines()[0]}"]
    with malformed_as_run_error(run.path / "results.json"):
        problems = [*_metadata(run, scores), *_up_to_date(run, card, model_id), *_numbers(run, card)]
    problems += recompute.problems(run)
    if not problems and (left_out := not_run(run, run_snippets)) != NOT_RUN:
        problems = list(_snippets(run, card, model_id, with_base=not left_out))
    return [f"{file}: {problem}" for problem in problems]


def _model_id(card: str) -> str:
    found = re.search(r'load_run\("([\w.-]+/[\w.-]+)"\)', blocks(card).get("usage", ""))
    return found[1] if found else MODEL_ID


def _scores(card: str) -> list[Any]:
    """The evaluation results of the metadata, read and validated by huggingface_hub."""
    from huggingface_hub import ModelCard

    metadata_of(card)  # refuses YAML that huggingface_hub would take forever to parse
    data: Any = ModelCard(card).data
    data.to_yaml()
    return list(data.eval_results or [])


def _metadata(run: "Run", scores: list[Any]) -> Iterator[str]:
    """Results in the metadata that are not numbers, or differ from results.json."""
    for score in scores:
        place = f"{score.metric_name} is {score.metric_value}"
        if not is_number(score.metric_value) or not math.isfinite(score.metric_value):
            yield f"the metadata say that {place}, which is not a number"
        elif run.results.get(score.dataset_split, {}).get(score.metric_name) != score.metric_value:
            yield f"the metadata say that {place} on {score.dataset_split}, but results.json does not; {REMEDY}"


def _up_to_date(run: "Run", card: str, model_id: str) -> Iterator[str]:
    """Generated sections that differ from what recipe and results give."""
    fresh = blocks(generated(run, model_id, card))
    for name, content in blocks(card).items():
        if content != fresh.get(name):
            yield f'the generated section "{name}" differs from recipe and results; {REMEDY}'


def _numbers(run: "Run", card: str) -> Iterator[str]:
    """Results on the card that are not in results.json, and the reverse."""
    for split, text in SPLIT.findall(blocks(card).get("results", "")):
        rows = [re.split(r"(?<!\\)\|", line)[2:-1] for line in text.splitlines() if line.startswith("|")]
        cells = (cell.strip() for row in rows for cell in row)
        shown = Counter(number for cell in cells if NUMBERS.fullmatch(cell) for number in cell.split(" to "))
        known = Counter(str(markdown.cell(value)) for value in _leaves(run.results.get(split, {})))
        yield from (f"{split}: {value} is on the card, not in results.json; {REMEDY}" for value in shown - known)
        yield from (f"{split}: {value} is in results.json, not on the card; {REMEDY}" for value in known - shown)


def _leaves(values: Any) -> Iterator[Any]:
    """The results of a split, those in its tables included."""
    match values:
        case dict():
            yield from (leaf for name, value in values.items() if name != "n" for leaf in _leaves(value))
        case list():
            yield from (leaf for value in values for leaf in _leaves(value))
        case str():
            return
        case _:
            yield values


def _snippets(run: "Run", card: str, model_id: str, *, with_base: bool = True) -> Iterator[str]:
    """Snippets that fail, or print something else than the card says. Only the model's id is replaced, by this
    directory. Snippets that load a base model of the Hub may use the network; they are left out unless `with_base`."""
    base = metadata.base_id(run.recipe, run.results)
    for _, printed, _, expected in SNIPPET.findall(blocks(card).get("usage", "")):
        code = printed.replace(f'"{model_id}"', repr(str(run.path.resolve())))
        loads_base = f'"{base}"' in code
        if loads_base and not with_base:
            continue
        done = _run(code, offline=not loads_base)
        first = next((line for line in code.splitlines() if " import " in f" {line}"), "")
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            yield f'the snippet that begins "{first}" does not run: {reason}'
        elif expected and not same_output(expected, done.stdout):
            yield f'the snippet that begins "{first}" prints {done.stdout.strip()!r}, not {expected.strip()!r}'


def _run(code: str, *, offline: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run Python code in a new process, in an empty folder."""
    quiet = {"TOKENIZERS_PARALLELISM": "false"} | ({"HF_HUB_OFFLINE": "1"} if offline else {})
    with tempfile.TemporaryDirectory() as folder:
        try:
            return subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=False,
                cwd=folder, env=os.environ | quiet | {"PYTHONIOENCODING": "utf-8"}, timeout=SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess([], 1, "", f"it takes more than {SECONDS} s")


def same_output(expected: str, found: str) -> bool:
    """Whether two outputs are equal, numbers within `TOLERANCE`."""
    first, second = expected.split(), found.split()
    return len(first) == len(second) and all(_same(*pair) for pair in zip(first, second, strict=True))


def _same(first: str, second: str) -> bool:
    try:
        return first == second or abs(float(first) - float(second)) <= TOLERANCE
    except ValueError:
        return False
