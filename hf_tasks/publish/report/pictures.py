"""Pictures of a report: matplotlib's SVG, whose colours follow the page (light or dark), and whose text stays text."""

import io
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from markupsafe import Markup

from hf_tasks.publish.report.blocks import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, BLUE, ORANGE, GREEN, PINK, YELLOW, SKY = (
    "#010101", "#010102", "#010103", "#010104", "#010105", "#010106", "#010107", "#010108",
)  # fmt: skip
THEME = {
    INK: "currentColor", MUTED: "var(--muted)", BLUE: "var(--blue)", ORANGE: "var(--orange)", GREEN: "var(--green)",
    PINK: "var(--pink)", YELLOW: "var(--yellow)", SKY: "var(--sky)",
}  # fmt: skip
"""Colours that stand for those of the page's style."""
SERIES = (BLUE, ORANGE, GREEN, PINK, YELLOW, SKY)
SIZE = (4.6, 3.0)
"""Inches; small, so that the words can still be read when the picture is as wide as a phone."""
HALF = 5.5
"""Inches above which a picture takes all the room there is."""
PIXELS_PER_INCH = 120
POINTS = 200
"""Of a line; more would not be seen."""
STYLE: Any = {
    "svg.fonttype": "none", "text.parse_math": False, "font.size": 9.5, "font.family": "DejaVu Sans",
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": MUTED, "xtick.color": MUTED, "ytick.color": MUTED,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "grid.color": MUTED, "grid.alpha": 0.25, "grid.linewidth": 0.6,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
    "axes.facecolor": "none", "figure.facecolor": "none", "savefig.facecolor": "none", "axes.unicode_minus": True,
    "lines.linewidth": 1.6, "lines.markersize": 4,
}  # fmt: skip


def picture(
    title: str, draw: Callable[["Axes"], Any], size: tuple[float, float] = SIZE, legend: Sequence[tuple[str, str]] = ()
) -> Picture:
    """What `draw` puts on empty axes; `legend`: (colour of this module, what is drawn in it)."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE | {"svg.hashsalt": title}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+")  # the page's own fonts have more letters
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        written = io.BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    colours = [(THEME[colour], text) for colour, text in legend]
    width = round(PIXELS_PER_INCH * size[0])
    return Picture(title, _themed(written.getvalue(), title, width), colours, wide=size[0] > HALF)


def shown(label: str, most: int = 22) -> str:
    """A label as a picture can hold it: on one line, every letter visible, of a long one the beginning and the end."""
    text = " ".join("".join(c if _is_visible(c) else " " for c in label).split())
    return text if len(text) <= most else text[: most // 2] + "…" + text[len(text) + 1 - most + most // 2 :]


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most POINTS of the points of a line, in the order of x: first and last, half of them even in x."""
    order = np.argsort(x, kind="stable")
    x, y = np.asarray(x)[order], np.asarray(y)[order]
    if len(x) <= POINTS:
        return x, y
    even = np.linspace(0, len(x) - 1, POINTS // 2).round().astype(int)
    rows = np.union1d(even, np.searchsorted(x, np.linspace(x[0], x[-1], POINTS // 2)))
    return x[rows], y[rows]


def histogram(title: str, values: np.ndarray, label: str, marks: Sequence[tuple[float, str]] = ()) -> Picture:
    """How often values occur; `marks`: (a value, what it is), drawn as lines."""

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
    """A matrix of counts: the deeper, the larger its share of the row. Rows are the labels, columns the predictions."""
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    small = len(columns) > 14

    def draw(axes: "Axes") -> None:
        axes.grid(False)
        for (i, j), split in np.ndenumerate(share):
            axes.add_patch(_cell(j, i, BLUE if i == j else ORANGE, 0.6 * float(split)))
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
    legend = [(BLUE, "right"), (ORANGE, "wrong; the deeper, the larger its share of the row")]
    return picture(title, draw, (max(SIZE[0], side + 0.5), max(2.6, side)), legend)


def _cell(x: int, y: int, colour: str, alpha: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=colour, alpha=alpha, linewidth=0)


def _themed(written: bytes, title: str, width: int) -> Markup:
    """The drawing as an element of an HTML page: colours of the page, at most `width` pixels wide, nothing unneeded."""
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


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] != "C"
