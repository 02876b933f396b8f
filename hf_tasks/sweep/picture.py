"""The picture of a sweep: the score of every trial against each key that differs."""

from pathlib import Path
from typing import Any

from hf_tasks.card.pictures import BLUE, GREY, ORANGE, STYLE
from hf_tasks.sweep.space import Listed, Range, shown
from hf_tasks.sweep.study import Sweeping


def draw(sweeping: Sweeping, path: Path) -> None:
    """Write the picture: a panel for each key, 95 % intervals as bars, the best trial in orange."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    keys = list(sweeping.plan.space)
    columns = min(len(keys), 3)
    rows = -(-len(keys) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.4 * columns + 0.6, 3.2 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for axes, key in zip(panels.flat, keys, strict=False):
            _panel(axes, sweeping, key)
        for axes in panels[:, 0]:
            axes.set_ylabel(f"{sweeping.ranked[0].user_attrs['metric']} on validation")
        for axes in panels.flat[len(keys) :]:
            axes.set_visible(False)
        figure.savefig(path, metadata={"Software": None})


def log_ticks(axis: Any) -> None:
    """1e-5, 1e-4, ... and nothing between where there are several; else 2 and 5 too. No number stands on another."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1,) if high / low > 200 else (1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}".replace("e-0", "e-").replace("e+00", "")))
    axis.set_minor_formatter(NullFormatter())


def _panel(axes: Any, sweeping: Sweeping, key: str) -> None:
    trials = sweeping.ranked
    where = [sweeping.values(trial)[key] for trial in trials]
    match sweeping.plan.space[key]:
        case Listed(values):
            names = [shown(value) for value in values]
            where = [names.index(shown(value)) for value in where]
            axes.set_xticks(range(len(names)), names)
            axes.set_xlim(-0.5, len(names) - 0.5)
        case Range(low, high, log=True):
            axes.set_xscale("log")
            axes.set_xlim(low / 1.1, high * 1.1)
            log_ticks(axes.xaxis)
        case Range(low, high, whole=True):
            axes.set_xlim(low - 0.5, high + 0.5)
            axes.locator_params("x", integer=True)
    for place, trial in reversed(list(zip(where, trials, strict=True))):  # the best one above the others
        best = trial is trials[0]
        if interval := trial.user_attrs["interval"]:
            axes.plot([place] * 2, interval, color=ORANGE if best else GREY, alpha=1 if best else 0.4, linewidth=1)
        axes.plot(place, trial.value, "o", color=ORANGE if best else BLUE, markersize=6 if best else 4)
    axes.set_xlabel(key)
