"""What every report shows, whatever the task: header, training curves, results, data, resources."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.core.terminal import seconds
from hf_tasks.metrics import description, is_score
from hf_tasks.publish.card import metadata
from hf_tasks.publish.card.metadata import SPLITS, is_number
from hf_tasks.publish.report import pictures
from hf_tasks.publish.report.blocks import Block, Facts, Interval, Paragraph, Picture, Section, Table, first
from hf_tasks.publish.report.measured import Measured
from hf_tasks.publish.report.pictures import BLUE, MUTED, ORANGE, SERIES
from hf_tasks.runs.run import LOG, RESULTS, Run
from hf_tasks.tasks.types import max_input_length

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = list[tuple[float, float]]
"""(step, value)"""

SPEEDS = ("runtime", "samples_per_second", "steps_per_second", "score")
"""Of an evaluation's log, what is no metric."""
MOST_METRICS = 4
MOST_ROWS = 40


def header(run: Run) -> dict[str, Any]:
    """What stands above the sections."""
    recipe, results = run.recipe, run.results
    written = datetime.fromtimestamp((run.path / RESULTS).stat().st_mtime, UTC).isoformat()
    measured = str(results.get("training", {}).get("ended", written))[: len("2026-01-31")]
    tiles = [
        ("base model", metadata.base_name(recipe, results) or recipe.model.title),
        ("method", recipe.method.name),
        ("measured", measured),
    ]
    if data := metadata.data_name(recipe):
        tiles.append(("data", data))
    return {"name": recipe.name, "task": recipe.task.name, "score": _score(run), "tiles": tiles}


def _score(run: Run) -> dict[str, Any] | None:
    """The main score of the last part that was measured."""
    for split in reversed([split for split in SPLITS if split in run.results]):
        values = run.results[split]
        name = next((name for name, value in values.items() if is_score(name) and is_number(value)), None)
        if name:
            return {"name": name, "part": split, "value": values[name], "interval": _interval(values, name)}
    return None


def _interval(values: Mapping[str, Any], name: str) -> Interval | None:
    found = values.get("intervals", {}).get(name)
    return Interval(*found) if found else None


def _words(values: Mapping[str, Any], name: str) -> str:
    """What a value is, and what must be known of it."""
    return "; ".join(filter(None, [description(name), str(values.get("notes", {}).get(name, ""))]))


def curves(run: Run) -> Section:
    """Loss, metrics of the validation part and learning rate over the steps."""
    file = run.path / LOG
    if not file.is_file():
        return Section("Training", [Paragraph("The training log is not in the run any more.")])
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return Section("Training", list(_curves(rows)))


def _curves(rows: Sequence[Mapping[str, Any]]) -> Iterator[Picture]:
    loss, evaluated = _points(rows, "loss"), _points(rows, "eval_loss")
    lines = [("training", loss, BLUE), ("validation", evaluated, ORANGE)]
    if loss:
        yield _lines("Loss", "loss", [line for line in lines if line[1]])
    keys = dict.fromkeys(key for row in rows for key, value in row.items() if isinstance(value, float))
    names = [key.removeprefix("eval_") for key in keys if key.startswith("eval_")]  # counts are whole numbers
    metrics = [(name, _points(rows, f"eval_{name}")) for name in names if name not in SPEEDS and is_score(name)]
    scores = list(_different([(name, points) for name, points in metrics if len(points) > 1]))[:MOST_METRICS]
    if scores:
        drawn = [(name, points, colour) for (name, points), colour in zip(scores, SERIES, strict=False)]
        yield _lines("Metrics on the validation part", "value", drawn)
    if rate := _points(rows, "learning_rate"):
        yield _lines("Learning rate", "learning rate", [("", rate, BLUE)])


def _different(series: Sequence[tuple[str, Points]]) -> Iterator[tuple[str, Points]]:
    """Without lines that would lie on an earlier one."""
    drawn: list[np.ndarray] = []
    for name, points in series:
        values = np.array(points)[:, 1]
        if not any(len(one) == len(values) and np.allclose(one, values, rtol=0.005, atol=0) for one in drawn):
            drawn.append(values)
            yield name, points


def _points(rows: Sequence[Mapping[str, Any]], name: str) -> Points:
    return [(row["step"], row[name]) for row in rows if is_number(row.get(name)) and "step" in row]


def _lines(title: str, label: str, series: Sequence[tuple[str, Points, str]]) -> Picture:
    def draw(axes: "Axes") -> None:
        for _, points, colour in series:
            steps, values = pictures.thinned(*np.array(points).T)
            axes.plot(steps, values, color=colour, marker="o" if len(points) <= 30 else None)
        axes.set_xlabel("step")
        axes.set_ylabel(label)
        if label == "loss":
            axes.set_ylim(0, axes.get_ylim()[1] * 1.04)

    return pictures.picture(title, draw, legend=[(colour, name) for name, _, colour in series if name])


def results(run: Run, *, nested: bool) -> Section:
    """Every number of every part, with its interval; `nested`: also those of each label or type."""
    blocks: list[Block] = []
    for split in SPLITS:
        values = run.results.get(split, {})
        rows = [
            [name, value, _interval(values, name), _words(values, name)]
            for name, value in values.items()
            if name != "n" and is_number(value)
        ]
        if rows:
            title = f"On {split}: {values['n']:,} examples"
            blocks.append(Table(title, ["metric", "value", "95 % interval", "what it is"], rows))
        blocks += _nested(split, values) if nested else []
    return Section("Results", blocks)


def _nested(split: str, values: Mapping[str, Any]) -> Iterator[Table]:
    for name, several in values.items():
        if isinstance(several, dict) and name not in ("intervals", "notes"):
            inner = [row if isinstance(row, dict) else {"value": row} for row in several.values()]
            columns = list(dict.fromkeys(column for row in inner for column in row))
            rows = [[key, *map(row.get, columns)] for key, row in zip(several, inner, strict=True)]
            yield first(f"{name.replace('_', ' ')} on {split}", ["", *columns], rows, MOST_ROWS)


def layers(run: Run) -> Section:
    """The share of each layer in what the head reads, where that was learned."""
    weights = run.results.get("layer_weights", [])

    def draw(axes: "Axes") -> None:
        axes.bar(range(len(weights)), weights, color=BLUE, alpha=0.8)
        axes.axhline(1 / len(weights), color=MUTED, linestyle="--", linewidth=1)
        axes.set_xticks(range(len(weights)))
        axes.set_xlabel("layer (0: embeddings)")
        axes.set_ylabel("weight")

    picture = pictures.picture("Weight of each layer", draw, legend=[(MUTED, "equal")]) if weights else None
    return Section("Layers", [picture] if picture else [])


def data(run: Run, splits: Sequence[Measured]) -> Section:
    """How many examples each part has, what was lost of them, and how long they are."""
    facts = run.results.get("data", {})
    names = ["examples", "features", "dropped", "tokens_cut"]
    rows = [[split, *(values.get(name) for name in names), *_files(values)] for split, values in facts.items()]
    columns = ["part", "examples", "windows", "rows left out", "tokens cut", "files", "SHA-256"]
    blocks: list[Block] = [Table("", columns, rows)] if rows else []
    blocks += [Paragraph(finding) for finding in run.results.get("findings", [])]
    for measured in splits[:1]:
        blocks += _lengths(measured)
    return Section("Data", blocks)


def _lengths(measured: Measured) -> Iterator[Block]:
    limit = max_input_length(measured.task.max_length, measured.run.tokenizer)
    if cut := int((measured.cut > 0).sum()):
        yield Paragraph(f"{measured.name}: {cut:,} of {len(measured.cut):,} texts are cut to {limit} tokens")
    yield from map(Paragraph, measured.task.issues(measured.examples, measured.encoded.features).notes)
    marks = [(limit, "max_length")] if measured.lengths.max() > limit else []
    yield pictures.histogram(f"Length of the texts of {measured.name}", measured.lengths, "tokens", marks)


def _files(values: Mapping[str, Any]) -> tuple[str, str]:
    files = values.get("files", {})
    names = ", ".join(name.rpartition("/")[2] for name in files)
    return names, ", ".join(str(digest)[:12] for digest in files.values())


def resources(run: Run) -> Section:
    """Time, speed, memory, energy and machine."""
    pairs = [*_training(run.results.get("training", {})), *_machine(run.results)]
    return Section("Resources", [Facts(pairs)] if pairs else [])


def _training(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if "seconds" in values:
        yield "time in all", seconds(values["seconds"])
    if "train_seconds" in values:
        yield "time of training", seconds(values["train_seconds"])
    if "parameters" in values:
        trained, total = values["parameters_trained"], values["parameters"]
        share = f" ({trained / total:.2%})" if trained < total else ""
        yield "parameters trained", f"{trained:,} of {total:,}{share}"
    known = {
        "epochs": "epochs", "steps": "steps", "best_step": "best step", "samples_per_second": "windows a second",
        "tokens_per_second": "tokens a second", "padding": "share of padding", "precision": "precision",
        "world_size": "processes",
    }  # fmt: skip
    yield from ((text, values[name]) for name, text in known.items() if values.get(name) is not None)
    if "peak_memory_bytes" in values:
        yield "memory at the peak", f"{values['peak_memory_bytes'] / 1e9:,.2f} GB"
    if "saved_bytes" in values:
        yield "saved", f"{values['saved_bytes'] / 1e6:,.1f} MB"


def _machine(results: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    environment, energy = results.get("environment", {}), results.get("energy")
    if energy:
        yield "energy (estimated)", f"{energy['wh']:.3g} Wh at {energy['watts']:g} W, {energy['from']}"
    known = {"accelerator": "accelerator", "processor": "processor", "cpu_count": "cores", "platform": "system"}
    yield from ((text, environment[name]) for name, text in known.items() if environment.get(name) is not None)
    packages = environment.get("packages", {})
    if packages:
        yield "packages", ", ".join(f"{name} {version}" for name, version in packages.items())
