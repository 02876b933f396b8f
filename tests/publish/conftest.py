"""Runs that `train` wrote, one for each kind of task."""

from collections.abc import Callable

import pytest
from conftest import Tiny
from trained import ARCHITECTURES, train

from hf_tasks.runs.run import Run

Trained = Callable[[str], Run]


@pytest.fixture(scope="session")
def trained(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """`trained(kind)`: the run of a kind in TASKS; only to be read."""
    made: dict[str, Run] = {}

    def run(kind: str) -> Run:
        if kind not in made:
            made[kind] = train(kind, tiny(ARCHITECTURES.get(kind, "bert")), tmp_path_factory.mktemp(f"trained_{kind}"))
        return made[kind]

    return run
