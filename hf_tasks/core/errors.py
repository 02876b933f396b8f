"""Errors that the user can correct; the command line prints their messages without a traceback and exits with 2.

UserError
├── RecipeError   a recipe file or a --set override
├── DataError     a data file or a dataset
└── RunError      a run directory, or a checkpoint
"""

from collections.abc import Sequence

from hf_tasks.core.printable import printable


class UserError(Exception):
    """One or more problems, each a complete line: where, what is wrong, what to do."""

    local = False
    """Whether the problem concerns only this process of a distributed training."""

    def __init__(self, *problems: str) -> None:
        self.problems: Sequence[str] = tuple(map(printable, problems))
        super().__init__("\n".join(self.problems))


class RecipeError(UserError):
    """A mistake in a recipe file or an override."""


class DataError(UserError):
    """A mistake in a data file or a dataset."""


class RunError(UserError):
    """A run directory or a checkpoint that cannot be used."""
