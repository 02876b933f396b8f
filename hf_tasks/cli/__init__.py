"""The command line; large libraries are imported only when a command runs."""

import errno
import os
import sys
from typing import NoReturn

import typer

from hf_tasks.cli import publishing, recipes, runs, text, training
from hf_tasks.core.distributed import LAUNCHER, is_main, is_worker_failure, world_size
from hf_tasks.core.errors import UserError
from hf_tasks.core.signals import Interrupted, exit_with_parent, stop_on_signal

app = typer.Typer(
    help="Fine-tune pretrained language models, from one recipe file to a measured model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(training.app)
app.add_typer(runs.app)
app.add_typer(publishing.app)
app.add_typer(text.app)
app.add_typer(
    recipes.app,
    name="recipes",
    help="The shipped recipes: list, show, copy; and the schema for editors.",
    no_args_is_help=True,
)


SYSTEM_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM}
"""Errors that a command cannot prevent: full disk, missing permission, damaged disk."""


def main() -> NoReturn:
    """Run the command line: user errors are one message and exit code 2, Ctrl-C is exit code 130."""
    if world_size() > 1:
        exit_with_parent(int(os.environ.get(LAUNCHER, os.getppid())))
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # no messages about retries; a final failure is a UserError
    try:
        with stop_on_signal():
            _run()
    except UserError as e:
        if is_main() or e.local:
            text = "\n".join(e.problems)  # with the options of the command line
            print(f"error: {text}" if len(e.problems) == 1 else f"errors:\n{text}", file=sys.stderr)
        sys.exit(2)
    except Interrupted as e:
        if is_main():
            print(e, file=sys.stderr)
        sys.exit(e.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as e:
        if e.errno not in SYSTEM_ERRORS:
            raise
        place = f"{e.filename}: " if e.filename else ""
        print(f"error: {place}{e.strerror}; nothing already saved is lost, run the same command again", file=sys.stderr)
        sys.exit(2)
    except RuntimeError as e:
        if is_main() or not is_worker_failure(e):
            raise
        sys.exit(1)
    sys.exit(0)


def _run() -> None:
    """Run the app and flush standard output here, since errors at the interpreter's exit are ignored."""
    try:
        app(standalone_mode=True)
    finally:
        sys.stdout.flush()
