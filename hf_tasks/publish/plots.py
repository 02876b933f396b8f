"""Every plot of the project: PNG files for cards, searches and learning rates; SVG elements for reports.

The same numbers give the same bytes. An SVG keeps its text as text, and its colours follow the page, light or dark.
"""

import io
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
from markupsafe import Markup

from hf_tasks.core.files import write_bytes
from hf_tasks.core.terminal import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOLDER = "pictures"
CURVE, LAYERS = "training_curve.png", "layer_weights.png"
BLUE, ORANGE, GREEN, PINK, YELLOW, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9"
"""The palette of Okabe and Ito (2008), distinguishable with any colour vision; its yellow is darker here."""
INK, GREY = "#010101", "#666666"
THEME = {
    INK: "currentColor", GREY: "var(--muted)", BLUE: "var(--blue)", ORANGE: "var(--orange)", GREEN: "var(--green)",
    PINK: "var(--pink)", YELLOW: "var(--yellow)", SKY: "var(--sky)",
}  # fmt: skip
"""Colours of an SVG -> those of the page's style."""
SERIES = (BLUE, ORANGE, GREEN, PINK, YELLOW, SKY)
SIZE = (4.6, 3.0)
"""Inches of an SVG: small, so that its text is readable on a phone."""
HALF = 5.5
"""Inches above which an SVG takes the whole width of the page."""
PIXELS_PER_INCH = 120
POINTS = 200
"""Maximum number of points of a line."""
MARKED_POINTS = 30
"""Maximum number of points that get a marker each."""
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "figure.dpi": 110,
}
SVG_STYLE: Any = STYLE | {
    "svg.fonttype": "none", "text.parse_math": False, "font.size": 9.5, "figure.dpi": 100,
    "text.color": INK, "axes.labelcolor": INK, "xtick.color": GREY, "ytick.color": GREY,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "grid.color": GREY, "grid.alpha": 0.25, "grid.linewidth": 0.6,
    "axes.grid": True, "axes.axisbelow": True, "axes.facecolor": "none", "figure.facecolor": "none",
    "savefig.facecolor": "none", "lines.linewidth": 1.6, "lines.markersize": 4,
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A plot on a page of HTML."""

    kind = "picture"
    title: str
    svg: Markup
    legend: Sequence[tuple[str, str]] = ()
    """(CSS colour, what is drawn in it)"""
    wide: bool = False
    """Whether it takes the whole width of the page."""


class Line(NamedTuple):
    """A series of values over the steps of a training."""

    name: str
    points: Sequence[tuple[float, float]]
    """(step, value)"""
    colour: str


def save(path: Path, size: tuple[float, float], draw: Callable[["Figure"], Any]) -> Path:
    """Write what `draw` puts on an empty figure of `size` inches as .png or .svg, without date and version."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        figure.savefig(
            content, format=path.suffix[1:], metadata={"Date" if path.suffix == ".svg" else "Software": None}
        )
    write_bytes(path, content.getvalue())
    return path


def picture(
    title: str, draw: Callable[["Axes"], Any], size: tuple[float, float] = SIZE, legend: Sequence[tuple[str, str]] = ()
) -> Picture:
    """The picture that `draw` puts on empty axes; `legend`: (colour of this module, what is drawn in it)."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(SVG_STYLE | {"svg.hashsalt": title}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+")  # the page's own fonts have more letters
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        written = io.BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    colours = [(THEME[colour], text) for colour, text in legend]
    width = round(PIXELS_PER_INCH * size[0])
    return Picture(title, _themed(written.getvalue(), title, width), colours, wide=size[0] > HALF)


def draw_card(results: Mapping[str, Any], run: Path) -> list[Path]:
    """Draw the plots of a card from results.json into `run`/pictures; the files."""
    files = []
    if has_curve(results):
        height = 4.8 if results["curve"]["validation"] else 3.0
        files.append(save(run / FOLDER / CURVE, (6.4, height), lambda figure: _training_curve(figure, results)))
    if weights := results.get("layer_weights"):
        files.append(save(run / FOLDER / LAYERS, (6.4, 3.4), lambda figure: layer_weights(figure.subplots(), weights)))
    return files


def has_curve(results: Mapping[str, Any]) -> bool:
    """Whether results.json holds a training curve."""
    return bool(results.get("curve", {}).get("train"))


def _training_curve(figure: "Figure", results: Mapping[str, Any]) -> None:
    """Training and validation loss over the steps; below them the validation score, where there is one."""
    curve, training = results["curve"], results.get("training", {})
    best, kept = training.get("best_step"), "best checkpoint"
    if training.get("kept_epoch"):
        kept = f"kept epoch {short(training['kept_epoch'])} of {short(training['epochs'])}"
    validation = [(step, loss) for step, loss, _ in curve["validation"]]
    panels = figure.subplots(2 if validation else 1, 1, sharex=True, squeeze=False)[:, 0]
    lines = [Line("training", curve["train"], BLUE), Line("validation", validation, ORANGE)]
    draw_lines(panels[0], [line for line in lines if line.points], "loss", best, kept)
    if validation:
        panels[0].legend(frameon=False)
        scores = [(step, score) for step, _, score in curve["validation"]]
        draw_lines(panels[1], [Line("validation", scores, ORANGE)], "score on validation", best, kept)
        panels[0].set_xlabel("")


def draw_lines(
    axes: "Axes", lines: Sequence[Line], label: str, best: float | None = None, kept: str = "best checkpoint"
) -> None:
    """Lines over the steps of a training; `best`: the step of the kept checkpoint, marked with the words `kept`."""
    for line in lines:
        steps, values = thinned(*np.array(line.points, float).T)
        marker = "o" if len(steps) <= MARKED_POINTS else None
        axes.plot(steps, values, color=line.colour, marker=marker, markersize=4, linewidth=1.5, label=line.name)
    if best is not None:
        axes.axvline(best, color=GREY, linestyle="--", linewidth=1, label=kept)
    axes.locator_params("x", integer=True)
    axes.set_xlabel("step")
    axes.set_ylabel(label)
    if label == "loss":
        axes.set_ylim(0, axes.get_ylim()[1] * 1.04)


def layer_weights(axes: "Axes", weights: Sequence[float]) -> None:
    """Bars: the weight of each layer in the mix that the head reads, the embeddings first."""
    axes.bar(range(len(weights)), weights, color=BLUE)
    axes.axhline(1 / len(weights), color=GREY, linewidth=1, linestyle="--")
    axes.set_xlim(-0.6, len(weights) + 0.1)  # room for the word beside the bars
    axes.text(len(weights) + 0.1, 1 / len(weights), "equal", color=GREY, va="bottom", ha="right")
    axes.set_xticks(range(len(weights)))
    axes.set_xlabel("layer (0: embeddings)")
    axes.set_ylabel("weight")


def shown(label: str, most: int = 22) -> str:
    """A label on one line, without invisible characters; of a long one the beginning and the end."""
    text = " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in label).split())
    return text if len(text) <= most else text[: most // 2] + "…" + text[len(text) + 1 - most + most // 2 :]


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most POINTS points of a line, sorted by x: the first, the last, and half of them evenly spaced in x."""
    order = np.argsort(x, kind="stable")
    x, y = np.asarray(x)[order], np.asarray(y)[order]
    if len(x) <= POINTS:
        return x, y
    even = np.linspace(0, len(x) - 1, POINTS // 2).round().astype(int)
    rows = np.union1d(even, np.searchsorted(x, np.linspace(x[0], x[-1], POINTS // 2)))
    return x[rows], y[rows]


def histogram(title: str, values: np.ndarray, label: str, marks: Sequence[tuple[float, str]] = ()) -> Picture:
    """How often values occur; `marks`: (a value, its name), drawn as lines."""

    def draw(axes: "Axes") -> None:
        axes.hist(values, bins=30, color=BLUE, alpha=0.75)
        for value, name in marks:
            axes.axvline(value, color=ORANGE, linestyle="--", linewidth=1.2)
            axes.annotate(
                name, (value, 1), xycoords=("data", "axes fraction"), xytext=(4, -10), textcoords="offset points",
                color=ORANGE,
            )  # fmt: skip
        axes.set_ylim(top=axes.get_ylim()[1] * 1.12)  # room for the words
        axes.set_xlabel(label)
        axes.set_ylabel("examples")

    return picture(title, draw)


def heat_map(title: str, counts: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> Picture:
    """A matrix of counts, coloured by their share of the row. Rows are labels, columns predictions."""
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    small = len(columns) > 14

    def draw(axes: "Axes") -> None:
        axes.grid(False)
        for (i, j), value in np.ndenumerate(share):
            axes.add_patch(_square(j, i, BLUE if i == j else ORANGE, 0.6 * float(value)))
            if counts[i, j]:
                axes.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", fontsize=7 if small else 8.5)
        axes.set_xlim(-0.5, len(columns) - 0.5)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xticks(range(len(columns)), [shown(name) for name in columns], rotation=45, ha="right")
        axes.set_yticks(range(len(rows)), [shown(name) for name in rows])
        axes.tick_params(labelsize=7.5 if small else 8.5, length=0)
        axes.set_xlabel("predicted")
        axes.set_ylabel("label")

    side = 1.8 + (0.28 if small else 0.36) * len(columns)
    legend = [(BLUE, "correct"), (ORANGE, "wrong; darker: a larger share of the row")]
    return picture(title, draw, (max(SIZE[0], side + 0.5), max(2.6, side)), legend)


def _square(x: int, y: int, colour: str, alpha: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=colour, alpha=alpha, linewidth=0)


def _themed(written: bytes, title: str, width: int) -> Markup:
    """An SVG file as an element of a page: the page's colours, at most `width` pixels wide, no metadata."""
    root = ElementTree.fromstring(written)
    for element in list(root.iter()):
        for child in [child for child in element if child.tag.endswith("}metadata")]:
            element.remove(child)
        element.tag = element.tag.rpartition("}")[2]
        if element.tag == "g":
            element.attrib.pop("id", None)
        for name, value in list(element.attrib.items()):
            del element.attrib[name]
            element.attrib[name.rpartition("}")[2]] = _with_theme(value) if name == "style" else value
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib |= {"role": "img", "aria-label": title, "style": f"max-width: {width}px"}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _with_theme(style: str) -> str:
    for colour, variable in THEME.items():
        style = style.replace(colour, variable)
    return style
