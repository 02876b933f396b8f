"""Pictures of a card: the course of the training, the weights of the layers. The same numbers give the same bytes."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.core.terminal import short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "pictures"
CURVE, LAYERS = "training_curve.png", "layer_weights.png"
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"
"""Of the palette by Okabe and Ito (2008), which people with any colour vision can tell apart."""
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "figure.dpi": 110,
}


def draw(results: Mapping[str, Any], run: Path) -> list[Path]:
    """Draw what results.json has points for, into `run`/pictures; the files."""
    import matplotlib as mpl

    figures = {}
    with mpl.rc_context(STYLE):
        if has_curve(results):
            figures[CURVE] = _curve(results["curve"], results.get("training", {}))
        if "layer_weights" in results:
            figures[LAYERS] = _layers(results["layer_weights"])
        return [_save(figure, run / FOLDER / name) for name, figure in figures.items()]


def has_curve(results: Mapping[str, Any]) -> bool:
    return bool(results.get("curve", {}).get("train"))


def _figure() -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _curve(curve: Mapping[str, list[list[float]]], training: Mapping[str, Any]) -> "Figure":
    """Training and validation loss over the steps, the validation score below; a line marks the kept epoch."""
    figure = _figure()
    steps, losses = zip(*curve["train"], strict=True)
    validation = list(zip(*curve["validation"], strict=True))
    figure.set_size_inches(6.4, 4.8 if validation else 3.0)
    loss, *below = figure.subplots(2 if validation else 1, 1, sharex=True, squeeze=False)[:, 0]
    loss.plot(steps, losses, color=BLUE, linewidth=1.4, label="training")
    loss.set_ylabel("loss")
    loss.set_ylim(bottom=0)
    if validation:
        loss.plot(*validation[:2], color=ORANGE, marker="o", markersize=4, label="validation")
        loss.legend(frameon=False)
        below[0].plot(validation[0], validation[2], color=ORANGE, marker="o", markersize=4)
        below[0].set_ylabel("score on validation")
        if training.get("kept_epoch"):
            label = f"kept epoch {short(training['kept_epoch'])} of {short(training['epochs'])}"
            below[0].axvline(training["best_step"], color=GREY, linestyle="--", linewidth=1, label=label)
            below[0].legend(frameon=False)
    (below or [loss])[-1].set_xlabel("step")
    return figure


def _layers(weights: list[float]) -> "Figure":
    """Bars: the share of each layer in what the head reads, the embeddings first."""
    figure = _figure()
    axes = figure.subplots()
    axes.bar(range(len(weights)), weights, color=BLUE)
    axes.axhline(1 / len(weights), color=GREY, linewidth=1, linestyle="--")
    axes.set_xlim(-0.6, len(weights) + 0.1)  # room for the word beside the bars
    axes.text(len(weights) + 0.1, 1 / len(weights), "equal", color=GREY, va="bottom", ha="right")
    axes.set_xticks(range(len(weights)))
    axes.set_xlabel("layer (0: embeddings)")
    axes.set_ylabel("weight")
    return figure


def _save(figure: "Figure", path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    return path
