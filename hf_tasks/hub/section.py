"""The `hub` section of a recipe: where the run is pushed when training has ended."""

import re

from pydantic import field_validator

from hf_tasks.block import Block

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]{1,96}")


class Hub(Block):
    """A repository of the Hub, and what may be done to it."""

    repo_id: str
    """The repository, ORG/NAME or USER/NAME; it is made where there is none."""
    private: bool = True
    """Whether only those who may see the organization's private models see it. False allows a public one."""
    update: bool = False
    """Whether a repository that holds something already may be changed."""
    revision: str | None = None
    """The branch that is pushed to, made where there is none; the default branch where not given."""
    tag: str | None = None
    """A new tag for the pushed revision."""

    @field_validator("repo_id")
    @classmethod
    def _is_a_name(cls, repo_id: str) -> str:
        if problem := wrong_name(repo_id):
            raise ValueError(problem)
        return repo_id

    def flags(self) -> str:
        """The options of `hf-tasks push` that mean the same, each with a space before it."""
        flags = [*([] if self.private else ["--public"]), *(["--update"] if self.update else [])]
        flags += [f"--revision {self.revision}"] if self.revision else []
        flags += [f"--tag {self.tag}"] if self.tag else []
        return "".join(f" {flag}" for flag in flags)


def wrong_name(repo_id: str) -> str | None:
    """What is wrong with the name of a repository; None where nothing is."""
    name = repo_id.partition("/")[2]
    bad_ends = name.startswith((".", "-")) or name.endswith((".", "-", ".git", ".ipynb"))
    if NAME.fullmatch(repo_id) and not bad_ends and not re.search(r"--|\.\.", repo_id):
        return None
    return (
        f'"{repo_id}" cannot name a repository; write ORG/NAME with letters, digits, dots, dashes and underscores, '
        "no two dots or dashes in a row"
    )
