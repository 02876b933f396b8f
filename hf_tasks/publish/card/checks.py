"""Is everything on a card true? Its snippets are run, its numbers compared, its metadata read as the Hub reads them."""

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
from hf_tasks.publish.card import metadata, tables
from hf_tasks.publish.card.usage import MODEL_ID, same_output
from hf_tasks.publish.card.write import FILE, blocks, generated, read_card
from hf_tasks.publish.card.write import metadata as metadata_of

if TYPE_CHECKING:
    from hf_tasks.runs.run import Run

SNIPPET = re.compile(r"^(`{3,})python\n(.*?)^\1$(?:\s*^(`{3,})text\n(.*?)^\3$)?", re.MULTILINE | re.DOTALL)
PART = re.compile(r"^### On (\w+): .*?\n(.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
NUMBERS = re.compile(r"-?\d+(\.\d+)?( to -?\d+(\.\d+)?)?|not defined")
"""A cell that holds a measured value, or the two ends of an interval."""
SECONDS = 600
"""After which a snippet counts as one that does not run."""
NOT_RUN = (
    "the snippets of the card were not run, because this run was not trained on this machine, or was changed since; "
    "read them, then add --run-snippets"
)
REMEDY = "renew it with: hf-tasks card RUN --write"


def may_run_snippets(run: "Run", allowed: bool) -> bool:
    """Whether the Python code of a card may run here: that of a run that was trained on this machine, or `allowed`."""
    return allowed or run.trained_here


def check(run: "Run", *, run_snippets: bool = False) -> list[str]:
    """What is wrong with the card in a run's directory, one line each; empty where all of it is true.

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
    if not problems and may_run_snippets(run, run_snippets):
        problems = list(_snippets(run, card, model_id))
    return [f"{file}: {problem}" for problem in problems]


def _model_id(card: str) -> str:
    found = re.search(r'load_run\("([\w.-]+/[\w.-]+)"\)', blocks(card).get("usage", ""))
    return found[1] if found else MODEL_ID


def _scores(card: str) -> list[Any]:
    """The evaluation results of the metadata, read and validated by huggingface_hub."""
    from huggingface_hub import ModelCard

    metadata_of(card)  # which refuses what the reader of the Hub would take for ever to read
    data: Any = ModelCard(card).data
    data.to_yaml()
    return list(data.eval_results or [])


def _metadata(run: "Run", scores: list[Any]) -> Iterator[str]:
    """Results in the metadata that are no numbers, or not those of results.json."""
    for score in scores:
        place = f"{score.metric_name} is {score.metric_value}"
        if not metadata.is_number(score.metric_value) or not math.isfinite(score.metric_value):
            yield f"the metadata say that {place}, which is no number"
        elif run.results.get(score.dataset_split, {}).get(score.metric_name) != score.metric_value:
            yield f"the metadata say that {place} on {score.dataset_split}, which results.json does not; {REMEDY}"


def _up_to_date(run: "Run", card: str, model_id: str) -> Iterator[str]:
    """Generated parts that are not what recipe and results give."""
    fresh = blocks(generated(run, model_id, card))
    for name, content in blocks(card).items():
        if content != fresh.get(name):
            yield f'the generated part "{name}" is not what recipe and results say; {REMEDY}'


def _numbers(run: "Run", card: str) -> Iterator[str]:
    """Results on the card that results.json does not have, and the other way round."""
    for split, text in PART.findall(blocks(card).get("results", "")):
        rows = [re.split(r"(?<!\\)\|", line)[2:-1] for line in text.splitlines() if line.startswith("|")]
        cells = (cell.strip() for row in rows for cell in row)
        shown = Counter(number for cell in cells if NUMBERS.fullmatch(cell) for number in cell.split(" to "))
        known = Counter(str(tables.cell(value)) for value in _leaves(run.results.get(split, {})))
        yield from (f"{split}: {value} is on the card, not in results.json; {REMEDY}" for value in shown - known)
        yield from (f"{split}: {value} is in results.json, not on the card; {REMEDY}" for value in known - shown)


def _leaves(values: Any) -> Iterator[Any]:
    """The measured numbers of a part, those of its tables too."""
    match values:
        case dict():
            yield from (leaf for name, value in values.items() if name != "n" for leaf in _leaves(value))
        case list():
            yield from (leaf for value in values for leaf in _leaves(value))
        case str():
            return
        case _:
            yield values


def _snippets(run: "Run", card: str, model_id: str) -> Iterator[str]:
    """Snippets that do not run, with this very directory in the place of the model's id and nothing else replaced, or
    print something else than the card says. The network serves those that load a base model of the Hub."""
    base = metadata.base_id(run.recipe, run.results)
    for _, printed, _, expected in SNIPPET.findall(blocks(card).get("usage", "")):
        code = printed.replace(f'"{model_id}"', repr(str(run.path.resolve())))
        done = _run(code, offline=f'"{base}"' not in code)
        first = next((line for line in code.splitlines() if " import " in f" {line}"), "")
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            yield f'the snippet that begins "{first}" does not run: {reason}'
        elif expected and not same_output(expected, done.stdout):
            yield f'the snippet that begins "{first}" prints {done.stdout.strip()!r}, not {expected.strip()!r}'


def _run(code: str, *, offline: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run Python code in a fresh process, in an empty folder."""
    quiet = {"TOKENIZERS_PARALLELISM": "false"} | ({"HF_HUB_OFFLINE": "1"} if offline else {})
    with tempfile.TemporaryDirectory() as folder:
        try:
            return subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=False,
                cwd=folder, env=os.environ | quiet | {"PYTHONIOENCODING": "utf-8"}, timeout=SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess([], 1, "", f"it takes more than {SECONDS} s")
