"""Commands that take a recipe: from a proposal to trained runs."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from hf_tasks.cli.options import RecipeArg, RunArg, SetOption
from hf_tasks.core.distributed import is_main, world_size
from hf_tasks.core.terminal import table

app = typer.Typer()


@app.command()
def init(
    data: Annotated[list[str], typer.Argument(metavar="DATA...", help="Files, globs, or a folder of parts.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The recipe's file, NAME.yaml where not given; - prints it.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The checkpoint; one that suits the data where not given.")] = None,
    task: Annotated[str | None, typer.Option(help="The task, e.g. text-classification.")] = None,
    text: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column with the texts.")] = None,
    pair: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column with the second text.")] = None,
    label: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column with the label or target.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing recipe.")] = False,
) -> None:
    """Look at data files, recognise the task, and propose a recipe with comments, ready to train."""
    from hf_tasks.recipe import init

    found = init.propose(data, model, init.Wishes(task, text, pair, label))
    print("\n".join(found.seen), file=sys.stderr)
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
        bool, typer.Option("--dry-run/--no-dry-run", help="Run a few steps to measure memory and time.")
    ] = True,
) -> None:
    """Everything that can be known before training: recipe, data, checkpoint, lengths, memory, disk, time."""
    from hf_tasks import check as check_recipe

    print("\n".join(check_recipe(recipe, overrides or (), dry_run=dry_run)))
    print("ready to train")


@app.command()
def explain(recipe: RecipeArg, overrides: SetOption = None) -> None:
    """Every resolved value of a recipe, and where it comes from: a line, a default, the data."""
    from hf_tasks.core.shipped import find
    from hf_tasks.training.explain import explain as explain_recipe
    from hf_tasks.training.explain import lines

    print("\n".join(lines(explain_recipe(find(recipe), tuple(overrides or ())))))


@app.command()
def train(
    recipe: RecipeArg,
    overrides: SetOption = None,
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", "-o", help="The run's directory; runs/NAME where not given.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the run that is in the directory.")] = False,
    num_processes: Annotated[
        int | None, typer.Option(min=1, help="Share the work between so many processes of this machine.")
    ] = None,
) -> None:
    """Train a recipe, evaluate it, and save the run. The same command goes on with a training that was interrupted."""
    from hf_tasks import train as train_recipe
    from hf_tasks.training.seeds import SeedRuns

    changes = [*(overrides or ()), *([f"training.output_dir={json.dumps(str(output_dir))}"] if output_dir else [])]
    if num_processes and num_processes != world_size():
        sys.exit(_in_processes(num_processes, ["train", recipe], changes, overwrite))
    run = train_recipe(recipe, changes, overwrite=overwrite)
    if not is_main():
        return
    if isinstance(run, SeedRuns):
        print("\n".join(["", *run.lines(), f"The runs are in {run.path}"]))
        return
    for split in ("validation", "test"):
        if split in run.results:
            print(f"\n{split}\n" + table(run.results[split]))
    training = run.results["training"]
    print(f"\n{training['seconds']} s in all, {training['samples_per_second']:.0f} training windows a second")
    print(f"The run is in {run.path}; next:")
    print(f"  hf-tasks predict {run.path} INPUT      predictions for a file, or for - (standard input)")
    print(f"  hf-tasks evaluate {run.path} --data FILE")


@app.command()
def sweep(
    recipe: RecipeArg,
    over: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUES", help="Vary a key: method.name=full,lora, or a range: 2..4, 1e-5..1e-3:log."),
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trainings in all.")] = None,
    timeout: Annotated[str | None, typer.Option(metavar="TIME", help="Begin none after 90s, 30m or 2h.")] = None,
    metric: Annotated[str | None, typer.Option(help="What ranks them, on the validation part.")] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Give up those that are below the median.")] = False,
    keep: Annotated[int | None, typer.Option(min=0, help="Runs that are kept, the best ones; 1.")] = None,
    overrides: SetOption = None,
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", "-o", help="The sweep's directory; sweeps/NAME where not given.")
    ] = None,
) -> None:
    """Train a recipe with several values of its keys; rank them; write the best recipe. The same command goes on."""
    from hf_tasks.core.shipped import find
    from hf_tasks.training.sweep import sweep as sweep_recipe
    from hf_tasks.training.sweep.report import lines

    options = {"trials": trials, "metric": metric, "prune": prune or None, "keep": keep}
    swept = sweep_recipe(find(recipe), over or (), overrides or (), options, output_dir=output_dir, timeout=timeout)
    print("\n".join(lines(swept)))


@app.command("lr-find")
def lr_find(
    recipe: RecipeArg,
    overrides: SetOption = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The picture, .png or .svg.")] = Path("lr_find.png"),
) -> None:
    """Which learning rate suits a recipe: a hundred steps with a growing rate, the curve of their losses."""
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
        typer.Option("--output-dir", "-o", help="Where it is trained again; RUN-reproduced where not given."),
    ] = None,
) -> None:
    """Train a run again and compare what is measured: exit code 1 where a metric differs."""
    from hf_tasks import load_run
    from hf_tasks.training.reproduce import reproduce as train_again

    reproduction = train_again(load_run(run), output_dir)
    print("\n".join(reproduction.lines()))
    sys.exit(0 if reproduction.same else 1)


def _in_processes(processes: int, command: list[str], changes: list[str], overwrite: bool) -> int:
    """The exit code of a command that several processes share."""
    from hf_tasks.core.distributed import launch
    from hf_tasks.core.errors import RunError

    if world_size() > 1:
        raise RunError(
            f"--num-processes {processes}: {world_size()} processes were started; remove it, or start as many"
        )
    options = [argument for change in changes for argument in ("--set", change)]
    return launch(processes, [*command, *options, *(["--overwrite"] if overwrite else [])])
