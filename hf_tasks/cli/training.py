"""Commands that take a recipe: init, check, train and their relatives."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from hf_tasks.cli.options import RecipeArg, RunArg, SetOption
from hf_tasks.core.distributed import is_main, world_size
from hf_tasks.core.terminal import seconds, table

app = typer.Typer()


@app.command()
def init(
    data: Annotated[list[str], typer.Argument(metavar="DATA...", help="Files, globs, or a folder with the splits.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The recipe file; NAME.yaml by default; - prints it.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The checkpoint; chosen for the data by default.")] = None,
    task: Annotated[str | None, typer.Option(help="The task, e.g. text-classification.")] = None,
    text: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column with the texts.")] = None,
    pair: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column with the second text.")] = None,
    label: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column with the label or target.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing recipe.")] = False,
) -> None:
    """Detect the task of data files and write a commented recipe, ready to train."""
    from hf_tasks.recipe import init

    found = init.propose(data, model, init.Wishes(task, text, pair, label))
    print("\n".join(found.report), file=sys.stderr)
    if output == Path("-"):
        print(found.recipe, end="")
        return
    path = init.write(found, output, overwrite=overwrite)
    print(f"The recipe is in {path}; next:\n  hf-tasks check {path}\n  hf-tasks train {path}", file=sys.stderr)


@app.command()
def check(
    recipe: RecipeArg,
    overrides: SetOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--no-dry-run", help="Run a few training steps to measure memory and time.")
    ] = True,
) -> None:
    """Check a recipe before training: keys, data, checkpoint, lengths, memory, disk, time."""
    from hf_tasks import check as check_recipe

    print("\n".join(check_recipe(recipe, overrides or (), dry_run=dry_run)))
    print("ready to train")


@app.command()
def explain(recipe: RecipeArg, overrides: SetOption = None) -> None:
    """Show every value of a recipe and its origin: a line, a default, the data."""
    from hf_tasks.core.shipped import find
    from hf_tasks.training.explain import explain as explain_recipe
    from hf_tasks.training.explain import lines

    print("\n".join(lines(explain_recipe(find(recipe), tuple(overrides or ())))))


@app.command()
def train(
    recipe: RecipeArg,
    overrides: SetOption = None,
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", "-o", help="The run directory; runs/NAME by default.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the run in the directory.")] = False,
    num_processes: Annotated[int | None, typer.Option(min=1, help="Number of processes on this machine.")] = None,
) -> None:
    """Train a recipe, evaluate it, and save the run. The same command resumes an interrupted training."""
    from hf_tasks import train as train_recipe
    from hf_tasks.training.run_group import RunGroup

    changes = [*(overrides or ()), *([f"training.output_dir={json.dumps(str(output_dir))}"] if output_dir else [])]
    if num_processes and num_processes != world_size():
        sys.exit(_in_processes(num_processes, ["train", recipe], changes, overwrite))
    run = train_recipe(recipe, changes, overwrite=overwrite)
    if not is_main():
        return
    if isinstance(run, RunGroup):
        print("\n".join(["", *run.lines(), f"The runs are in {run.path}"]))
        return
    for split in ("validation", "test"):
        if split in run.results:
            print(f"\n{split}\n" + table(run.results[split]))
    training = run.results["training"]
    read = run.results["data"]["train"]
    what = "windows" if read["features"] > read["examples"] else "examples"
    print(f"\n{seconds(training['seconds'])} in all; training: {training['samples_per_second']:.0f} {what} per second")
    print(f"The run is in {run.path}; next:")
    print(f"  hf-tasks predict {run.path} INPUT      a text in quotes, a file, or - for standard input")
    print(f"  hf-tasks report {run.path}             curves, errors, suspected label errors as one HTML file")


@app.command()
def sweep(
    recipe: RecipeArg,
    over: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUES", help="Vary a key: method.name=full,lora, or a range: 2..4, 1e-5..1e-3:log."),
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Number of trials.")] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Start no new trial after 90s, 30m or 2h.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="The validation metric that ranks the trials.")] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Stop trials that are below the median.")] = False,
    keep: Annotated[int | None, typer.Option(min=0, help="Number of best runs to keep (default 1).")] = None,
    overrides: SetOption = None,
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", "-o", help="The sweep directory; sweeps/NAME by default.")
    ] = None,
) -> None:
    """Train a recipe with several values of its keys, rank the trials, write the best recipe; resumable."""
    from hf_tasks.core.shipped import find
    from hf_tasks.training.sweep import sweep as sweep_recipe
    from hf_tasks.training.sweep.report import lines

    options = {"trials": trials, "metric": metric, "prune": prune or None, "keep": keep}
    swept = sweep_recipe(find(recipe), over or (), overrides or (), options, output_dir=output_dir, timeout=timeout)
    print("\n".join(lines(swept)))


@app.command()
def suite(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A suite file, or the name of a shipped suite: glue.")],
    submission: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Predict the test files in this folder; write the zip for GLUE.")
    ] = None,
    overrides: SetOption = None,
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", "-o", help="The directory of the runs; suites/NAME by default.")
    ] = None,
) -> None:
    """Train a list of recipes, with several methods or models, and show one table of their scores; resumable."""
    from hf_tasks.core.errors import RunError
    from hf_tasks.training import suite as suites

    runs = suites.run(file, overrides or (), output_dir=output_dir)
    print(runs.table(), end="")
    print(f"The table is in {runs.folder}: suite.md, suite.csv, suite.html")
    if runs.failed:
        raise RunError(*(f"failed: {reason}" for reason in runs.failed))
    for path in suites.submit(runs, submission) if submission else ():
        print(f"{path}: the submission")


@app.command("lr-find")
def lr_find(
    recipe: RecipeArg,
    overrides: SetOption = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The plot, .png or .svg.")] = Path("lr_find.png"),
) -> None:
    """Suggest a learning rate: a hundred steps with a growing rate, and a plot of the loss."""
    from hf_tasks.core.shipped import find
    from hf_tasks.training import lr_finder

    lr_finder.check_output(output)
    curve = lr_finder.find(find(recipe), overrides or ())
    print("\n".join(lr_finder.lines(curve, recipe, overrides or ())))
    lr_finder.draw(curve, output)
    print(f"{output}: the curve")


@app.command()
def reproduce(
    run: RunArg,
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", "-o", help="The new run directory; RUN-reproduced by default."),
    ] = None,
) -> None:
    """Train a run again and compare the metrics; exit code 1 if one differs."""
    from hf_tasks import load_run
    from hf_tasks.training.reproduce import reproduce as train_again

    reproduction = train_again(load_run(run), output_dir)
    print("\n".join(reproduction.lines()))
    sys.exit(0 if reproduction.same else 1)


def _in_processes(processes: int, command: list[str], changes: list[str], overwrite: bool) -> int:
    """Run a command in several processes and return the exit code."""
    from hf_tasks.core.distributed import launch
    from hf_tasks.core.errors import RunError

    if world_size() > 1:
        raise RunError(
            f"--num-processes {processes}: {world_size()} processes were started by a launcher; remove this option"
        )
    options = [argument for change in changes for argument in ("--set", change)]
    return launch(processes, [*command, *options, *(["--overwrite"] if overwrite else [])])
