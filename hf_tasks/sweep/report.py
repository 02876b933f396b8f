"""A sweep for people: trials in the order of their scores, what mattered, what to do next."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hf_tasks.sweep.space import shown
from hf_tasks.sweep.study import BEST, PICTURE, Sweeping
from hf_tasks.trainer.progress import seconds

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FOR_IMPORTANCE = 8
"""Whole trials from which the importance of a key is told; fewer say nothing."""


def lines(sweeping: Sweeping) -> Iterator[str]:
    """The ranked table and what follows from it; at least one trial must be whole."""
    ranked = sweeping.ranked
    best = ranked[0]
    keys = [key for key in sweeping.plan.space if len({t.user_attrs["values"][key] for t in sweeping.done}) > 1]
    yield from _table(sweeping, keys)
    for state in ("FAIL", "PRUNED"):
        for trial in (trial for trial in sweeping.done if trial.state.name == state):
            yield f"{'failed' if state == 'FAIL' else 'given up'}: trial {trial.number}: {trial.user_attrs['reason']}"
    if best.user_attrs["interval"]:
        low, high = best.user_attrs["interval"]
        near = sum(low <= float(trial.value or 0) <= high for trial in ranked[1:])
        yield f"{near} of the other {len(ranked) - 1} lie within the interval of the best"
    if len(ranked) >= FOR_IMPORTANCE and len(keys) > 1:
        yield "importance (PED-ANOVA): " + ", ".join(
            f"{key} {share:.2f}" for key, share in importance(sweeping).items()
        )
    yield (
        f"Ranked on the validation part ({best.user_attrs['n']} examples): the best of several scores is too high by "
        "being the best. No trial saw the test part."
    )
    yield f"{sweeping.folder / PICTURE}: the scores; {sweeping.folder / BEST}: the recipe of trial {best.number}; next:"
    yield f"  hf-tasks train {sweeping.folder / BEST}"


def importance(sweeping: Sweeping) -> dict[str, float]:
    """Each key's share in what tells good trials from others (Watanabe et al. 2023, https://arxiv.org/abs/2304.10255)."""
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
