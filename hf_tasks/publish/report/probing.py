"""Probing each layer of a run's model, and of its base model: the accuracy of a linear classifier as a curve."""

from collections import Counter
from typing import TYPE_CHECKING

from hf_tasks.core.errors import RunError
from hf_tasks.metrics.intervals import wilson
from hf_tasks.publish import plots
from hf_tasks.publish.plots import BLUE, GREY, ORANGE
from hf_tasks.publish.report.blocks import Block, Paragraph, ReportSection
from hf_tasks.publish.report.measured import MeasuredSplit
from hf_tasks.publish.results_view import Interval, Table
from hf_tasks.recipe.resolve import resolve
from hf_tasks.runs import probe
from hf_tasks.runs.embed import Extractor
from hf_tasks.runs.run import Run
from hf_tasks.tasks.types import max_input_length

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAINED, BASE = "this model", "the base model"
COLOURS = {TRAINED: BLUE, BASE: ORANGE}


def section(measured: MeasuredSplit) -> ReportSection:
    """The curve and the table of a split with one label for each text. Raises RunError for other tasks."""
    run, task = measured.run, measured.task
    if not task.traits.class_labels or not all(isinstance(one, str) for one in measured.references):
        raise RunError(f"--probe: needs one label for each text, and {task.name} has none here; leave it out")
    train = resolve(run.recipe, run.recipe_folder)[1].train.examples
    learned = probe.drawn(train, probe.MOST_TRAIN, run.recipe.seed)
    tested = probe.drawn(measured.examples, probe.MOST_TESTED, run.recipe.seed)
    labels, truth = (task.metric_inputs([], examples).references for examples in (learned, tested))
    scores = {
        name: probe.scores(
            probe.layer_vectors(extractor, task, learned), labels, probe.layer_vectors(extractor, task, tested), truth
        )
        for name, extractor in _extractors(run).items()
    }
    most = Counter(labels).most_common(1)[0][0]
    constant = sum(label == most for label in truth) / len(truth)
    words = (
        f"Logistic regression on the mean vector of each text in a layer, without training the model: "
        f"{len(labels):,} examples of train, {len(truth):,} of {measured.name}. Layer 0: the embeddings."
    )
    blocks: list[Block] = [Paragraph(words), _curve(scores, constant, len(truth)), _table(scores, len(truth))]
    return ReportSection("Probing", blocks)


def _extractors(run: Run) -> dict[str, Extractor]:
    """The model of the run, and its base model where it is a checkpoint that can be loaded."""
    found = {TRAINED: Extractor(run.model, run.tokenizer, max_input_length(run.recipe.task.max_length, run.tokenizer))}
    try:
        if not run.recipe.model.is_new:
            found[BASE] = Extractor.load(run.recipe.model.name_or_path)
    except RunError:
        return found
    return found


def _curve(scores: dict[str, list[float]], constant: float, n: int) -> plots.Picture:
    def draw(axes: "Axes") -> None:
        for name, values in scores.items():
            low, high = zip(*(wilson(value, n) for value in values), strict=True)
            layers = range(len(values))
            axes.fill_between(layers, low, high, color=COLOURS[name], alpha=0.15, linewidth=0)
            axes.plot(layers, values, color=COLOURS[name], marker="o")
        axes.axhline(constant, color=GREY, linestyle="--", linewidth=1)
        axes.set_xticks(range(len(scores[TRAINED])))
        axes.set_xlabel("layer (0: embeddings)")
        axes.set_ylabel("accuracy")

    legend = [*((COLOURS[name], name) for name in scores), (GREY, "the most frequent label")]
    return plots.picture("Accuracy of a linear classifier on each layer, with 95 % intervals", draw, legend=legend)


def _table(scores: dict[str, list[float]], n: int) -> Table:
    columns = ["layer", *(column for name in scores for column in (name, "95 % interval"))]
    rows = [
        [layer, *(cell for value in values for cell in (value, Interval(*wilson(value, n))))]
        for layer, values in enumerate(zip(*scores.values(), strict=True))
    ]
    return Table("Accuracy of each layer", columns, rows)
