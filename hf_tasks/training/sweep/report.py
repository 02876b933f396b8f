"""The report of a sweep: ranked trials, importance of keys, next command; and a plot of scores against keys."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.core.terminal import seconds
from hf_tasks.publish import plots
from hf_tasks.publish.plots import BLUE, GREY, ORANGE
from hf_tasks.recipe.search_space import Listed, Range, shown
from hf_tasks.training.sweep.study import BEST, PICTURE, Sweeping

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from optuna.trial import FrozenTrial

FOR_IMPORTANCE = 8
"""Minimum number of complete trials for the importance of keys."""


def lines(sweeping: Sweeping) -> Iterator[str]:
    """Yield the lines of the report; at least one trial must be complete."""
    ranked = sweeping.ranked
    best = ranked[0]
    keys = [key for key in sweeping.plan.space if len({t.user_attrs["values"][key] for t in sweeping.done}) > 1]
    yield from _table(sweeping, keys)
    for state in ("FAIL", "PRUNED"):
        for trial in (trial for trial in sweeping.done if trial.state.name == state):
            yield f"{'failed' if state == 'FAIL' else 'stopped'}: trial {trial.number}: {trial.user_attrs['reason']}"
    if best.user_attrs["interval"]:
        low, high = best.user_attrs["interval"]
        near = sum(low <= float(trial.value or 0) <= high for trial in ranked[1:])
        yield f"{near} of the other {len(ranked) - 1} are within the interval of the best"
    if len(ranked) >= FOR_IMPORTANCE and len(keys) > 1:
        yield "importance (PED-ANOVA): " + ", ".join(
            f"{key} {share:.2f}" for key, share in importance(sweeping).items()
        )
    yield (
        f"Ranked on the validation split ({best.user_attrs['n']} examples): the best of several scores is biased "
        "upwards. No trial used the test split."
    )
    yield f"{sweeping.folder / PICTURE}: the scores; {sweeping.folder / BEST}: the recipe of trial {best.number}; next:"
    yield f"  hf-tasks train {sweeping.folder / BEST}"


def importance(sweeping: Sweeping) -> dict[str, float]:
    """Return the importance of each key by PED-ANOVA (Watanabe et al. 2023, https://arxiv.org/abs/2304.10255)."""
    from optuna.importance import get_param_importances

    return get_param_importances(sweeping.study)


def _table(sweeping: Sweeping, keys: list[str]) -> Iterator[str]:
    metric = sweeping.ranked[0].user_attrs["metric"]
    rows = [["rank", "trial", metric, "95 % interval", "time", *(key for key in keys)]]
    for rank, trial in enumerate(sweeping.ranked, 1):
        values = sweeping.values(trial)
        cells = [shown(values[key]) for key in keys]
        rows.append([str(rank), str(trial.number), f"{trial.value:.4f}", _interval(trial), _time(trial), *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))


def _interval(trial: "FrozenTrial") -> str:
    interval = trial.user_attrs["interval"]
    return "[{:.4f}, {:.4f}]".format(*interval) if interval else "-"


def _time(trial: "FrozenTrial") -> str:
    return seconds(trial.user_attrs["seconds"])


def draw(sweeping: Sweeping, path: Path) -> None:
    """Write the plot: a panel for each key, 95 % intervals as bars, the best trial in orange."""
    keys = list(sweeping.plan.space)
    columns = min(len(keys), 3)
    rows = -(-len(keys) // columns)

    def draw_panels(figure: "Figure") -> None:
        panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for axes, key in zip(panels.flat, keys, strict=False):
            _panel(axes, sweeping, key)
        for axes in panels[:, 0]:
            axes.set_ylabel(f"{sweeping.ranked[0].user_attrs['metric']} on validation")
        for axes in panels.flat[len(keys) :]:
            axes.set_visible(False)

    plots.save(path, (3.4 * columns + 0.6, 3.2 * rows), draw_panels)


def log_ticks(axis: Any) -> None:
    """Set the ticks 1e-5, 1e-4, ..., on a narrow range also 2e-5 and 5e-5, so that labels do not overlap."""
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
        case Range(low, high, is_integer=True):
            axes.set_xlim(low - 0.5, high + 0.5)
            axes.locator_params("x", integer=True)
    for place, trial in reversed(list(zip(where, trials, strict=True))):  # the best one above the others
        best = trial is trials[0]
        if interval := trial.user_attrs["interval"]:
            axes.plot([place] * 2, interval, color=ORANGE if best else GREY, alpha=1 if best else 0.4, linewidth=1)
        axes.plot(place, trial.value, "o", color=ORANGE if best else BLUE, markersize=6 if best else 4)
    axes.set_xlabel(key)
