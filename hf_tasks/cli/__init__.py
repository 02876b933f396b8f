"""The command line: import, load, call, print. Nothing heavy is imported before a command runs."""

import sys
from typing import NoReturn

import typer

from hf_tasks.cli import recipes, runs, texts, training
from hf_tasks.distributed import is_loss_of_a_process, is_main
from hf_tasks.errors import UserError
from hf_tasks.trainer.interrupts import Interrupted

app = typer.Typer(
    help="Fine-tune pretrained language models, from one recipe file to a measured model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(training.app)
app.add_typer(runs.app)
app.add_typer(texts.app)
app.add_typer(
    recipes.app,
    name="recipes",
    help="The shipped recipes: list, show, copy; and the schema for editors.",
    no_args_is_help=True,
)


def main() -> NoReturn:
    """Run the command line: user errors are one message and exit code 2, Ctrl-C is exit code 130."""
    try:
        app(standalone_mode=True)
    except UserError as e:
        if is_main() or e.local:
            print(f"error: {e}" if len(e.problems) == 1 else f"errors:\n{e}", file=sys.stderr)
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
    except RuntimeError as e:
        if is_main() or not is_loss_of_a_process(e):
            raise
        sys.exit(1)
    sys.exit(0)
