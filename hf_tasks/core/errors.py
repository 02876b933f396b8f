"""What can go wrong that the user can correct. The command line prints these messages as they are and exits with 2.

UserError
├── RecipeError   a recipe file or a --set override
├── DataError     a data file or a data set
└── RunError      a run directory, or a checkpoint
"""

from collections.abc import Sequence

from hf_tasks.core.printable import printable


class UserError(Exception):
    """One or more problems, each a complete line: where, what is wrong, what to do."""

    local = False
    """Whether only this process, of several that train together, has the problem."""

    def __init__(self, *problems: str) -> None:
        self.problems: Sequence[str] = tuple(map(printable, problems))
        super().__init__("\n".join(self.problems))


class RecipeError(UserError):
    pass


class DataError(UserError):
    pass


class RunError(UserError):
    pass
