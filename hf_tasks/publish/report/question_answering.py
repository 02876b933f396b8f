"""Report sections of extractive question answering: scores by kind of question and answer, the no-answer threshold,
wrong answers in their contexts."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.metrics.metric import Sums
from hf_tasks.metrics.squad import answers_of, best_over, exact, f1
from hf_tasks.publish import plots
from hf_tasks.publish.plots import BLUE, GREY, ORANGE
from hf_tasks.publish.report.blocks import Block, Example, Examples, Kind, Marked, ReportSection, Span, clipped, plain
from hf_tasks.publish.report.measured import MeasuredSplit
from hf_tasks.publish.report.slices import Group, by_value, table
from hf_tasks.tasks.token_classification.words import split

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORST = 12
AROUND = 220
"""Characters of the context on either side of the answers."""
LEGEND: tuple[tuple[Kind, str], ...] = (("gold", "correct answer"), ("found", "predicted"), ("right", "both"))
LENGTHS = ((1, "1 word"), (3, "2 to 3 words"), (7, "4 to 7 words"))
QUESTION_WORDS = ("who", "what", "when", "where", "which", "why", "how many", "how much", "how")


def questions(measured: MeasuredSplit) -> Iterator[ReportSection]:
    yield ReportSection("Answers", list(_kinds(measured)))
    if "null_score_diff" in measured.predictions[0] and not all(measured.references):
        yield ReportSection("No answer", list(_threshold(measured)))
    yield ReportSection("Wrong answers", list(_wrong(measured)))


def _kinds(measured: MeasuredSplit) -> Iterator[Block]:
    yield table("By length of the answer", _by_length(measured), measured.scorer)
    yield table("By kind of answer", by_value([_kind(texts) for texts in measured.references]), measured.scorer)
    words = [_question_word(row["question"]) for row in measured.rows]
    if any(word != "other" for word in words):
        yield table("By question word", by_value(words), measured.scorer)


def _by_length(measured: MeasuredSplit) -> list[Group]:
    """Groups by the words of the first correct answer."""
    names = ["no answer", *(name for _, name in LENGTHS), "8 words or more"]
    of_rows = [_length(texts[0]) if texts else names[0] for texts in measured.references]
    return [
        Group(name, np.array([i for i, of in enumerate(of_rows) if of == name], int))
        for name in names
        if name in of_rows
    ]


def _length(text: str) -> str:
    words = len(split(text, "words")["tokens"])
    return next((name for most, name in LENGTHS if words <= most), "8 words or more")


def _kind(texts: Sequence[str]) -> str:
    """The kind of the first correct answer, by its characters."""
    if not texts:
        return "no answer"
    if any(c.isdigit() for c in texts[0]):
        return "with digits"
    return "begins with a capital" if texts[0][:1].isupper() else "other words"


def _question_word(question: str) -> str:
    """The first English question word of a question."""
    text = f" {question.lower()} "
    found = [(text.find(f" {word} "), word) for word in QUESTION_WORDS if f" {word} " in text]
    return min(found, key=lambda one: (one[0], -len(one[1])))[1] if found else "other"


def _threshold(measured: MeasuredSplit) -> Iterator[Block]:
    threshold = measured.task.model_dump().get("null_score_diff_threshold") or 0.0
    differences = np.array([row["null_score_diff"] for row in measured.predictions])
    yield _curves(measured, differences, threshold)
    yield _histograms(measured, differences, threshold)


def _curves(measured: MeasuredSplit, differences: np.ndarray, threshold: float) -> Block:
    """F1 and exact match for every possible threshold."""
    curves = {name: _by_threshold(measured, differences, by) for name, by in (("F1", f1), ("exact match", exact))}
    colours = dict(zip(curves, (BLUE, ORANGE), strict=True))

    def draw(axes: "Axes") -> None:
        for name, (at, values) in curves.items():
            axes.plot(*plots.thinned(at, values), color=colours[name])
        axes.axvline(threshold, color=GREY, linestyle="--", linewidth=1)
        axes.set_xlabel("threshold: a question is answered up to this difference")
        axes.set_ylabel("percent")

    legend = [*((colour, name) for name, colour in colours.items()), (GREY, f"threshold of the run: {threshold:.2f}")]
    return plots.picture("No-answer threshold", draw, legend=legend)


def _histograms(measured: MeasuredSplit, differences: np.ndarray, threshold: float) -> Block:
    """The score differences of questions with an answer, and of those without one."""
    has = np.array([bool(texts) for texts in measured.references])

    def draw(axes: "Axes") -> None:
        bins = np.linspace(differences.min(), differences.max(), 31).tolist()
        axes.hist(differences[has], bins=bins, color=BLUE, alpha=0.55)
        axes.hist(differences[~has], bins=bins, color=ORANGE, alpha=0.55)
        axes.axvline(threshold, color=GREY, linestyle="--", linewidth=1)
        axes.set_xlabel("no-answer score minus the score of the best span")
        axes.set_ylabel("questions")

    legend = [(BLUE, "questions with an answer"), (ORANGE, "questions without an answer")]
    return plots.picture("No-answer score", draw, legend=legend)


def _by_threshold(measured: MeasuredSplit, differences: np.ndarray, measure: Any) -> tuple[np.ndarray, np.ndarray]:
    """(thresholds, mean of the measure in percent). Questions with a difference up to the threshold are answered."""
    spans = [next((entry["text"] for entry in row["nbest"] if entry["text"]), "") for row in measured.predictions]
    pairs = zip(spans, measured.references, strict=True)
    answered = np.array([best_over(measure, text, answers_of(right)) for text, right in pairs])
    refused = np.array([not texts for texts in measured.references], float)
    order = np.argsort(differences, kind="stable")
    values = (refused.sum() + np.cumsum((answered - refused)[order])) / len(order)
    return differences[order], 100 * values


def _wrong(measured: MeasuredSplit) -> Iterator[Examples]:
    """The wrong answers of each kind, the lowest F1 first, then the highest probability first."""
    pairs = list(zip(measured.predictions, measured.references, strict=True))
    form = measured.scorer.form
    if isinstance(form, Sums):  # its first count is F1
        shared = form.counts[:, 0]
    else:
        shared = np.array([best_over(f1, row["answer"], answers_of(right)) for row, right in pairs])
    sure = np.array([row["score"] for row in measured.predictions])
    wrong = [i for i in np.lexsort((-sure, shared)).tolist() if shared[i] < 1]
    kinds = {
        "A different answer": [i for i in wrong if pairs[i][0]["answer"] and pairs[i][1]],
        "No answer predicted, although there is one": [i for i in wrong if not pairs[i][0]["answer"]],
        "An answer predicted, although there is none": [i for i in wrong if not pairs[i][1]],
    }
    for title, rows in kinds.items():
        if rows:
            examples = [_example(measured, i, float(shared[i])) for i in rows[:WORST]]
            yield Examples(f"{title}: {len(rows):,} of {len(pairs):,}", examples, len(rows) - len(examples), LEGEND)


def _example(measured: MeasuredSplit, row: int, shared: float) -> Example:
    example, prediction = measured.rows[row], measured.predictions[row]
    right = dict.fromkeys(example["answers"]["text"])
    facts = [
        ("correct", clipped(" / ".join(right), 120) or "no answer"), ("predicted", prediction["answer"] or "no answer"),
        ("probability", prediction["score"]), ("F1", shared),
    ]  # fmt: skip
    passages = [("question", plain(example["question"])), ("context", _context(example, prediction))]
    return Example(measured.where(row), facts, passages)


def _context(example: dict[str, Any], prediction: dict[str, Any]) -> Marked:
    """The context around the answers, with the answers highlighted."""
    text, answers = example["context"], example["answers"]
    gold = [
        (start, start + len(answer)) for answer, start in zip(answers["text"], answers["answer_start"], strict=True)
    ]
    found = [(prediction["start"], prediction["end"])] if prediction["answer"] else []
    places = [*gold[:1], *found] or [(0, 0)]
    low, high = min(place[0] for place in places), max(place[1] for place in places)
    begin, end = max(0, low - AROUND), min(len(text), high + AROUND)
    edges = sorted({begin, end, *(edge for place in places for edge in place)})
    sides: list[tuple[Kind, list[tuple[int, int]]]] = [("gold", gold[:1]), ("found", found)]
    spans = [Span("…" if begin else "")]
    for a, b in zip(edges, edges[1:], strict=False):
        kinds = [kind for kind, side in sides if _inside(a, b, side)]
        spans += _long(text[a:b]) if not kinds else [Span(text[a:b], "right" if len(kinds) == 2 else kinds[0])]
    return (*spans, Span("…" if end < len(text) else ""))


def _inside(start: int, end: int, places: list[tuple[int, int]]) -> bool:
    return any(a <= start and end <= b for a, b in places)


def _long(text: str) -> Marked:
    """Text between highlights, without its middle if it is long."""
    return (Span(text if len(text) <= 3 * AROUND else f"{text[:AROUND]} … {text[-AROUND:]}"),)
