"""Commands that take a trained run."""

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from hf_tasks.cli.input import (
    check_output,
    default_split,
    is_text,
    labelled,
    predictor,
    read,
    read_text,
    run_and_input,
    several,
)
from hf_tasks.cli.options import (
    DecodingOption,
    DtypeOption,
    FormatOption,
    OverwriteOption,
    ReferencesOption,
    RunArg,
    SeveralValues,
    SplitName,
)
from hf_tasks.core.terminal import table

app = typer.Typer()


@app.command("runs")
def list_runs(folder: Annotated[Path, typer.Argument(help="A folder with runs.")] = Path("runs")) -> None:
    """List the runs in a folder: task, model, method, score, date."""
    from hf_tasks.runs import listing

    print("\n".join(listing.lines(listing.listed(folder))))


@app.command(cls=SeveralValues)
def evaluate(
    run: RunArg,
    data: Annotated[str | None, typer.Option(help="A labelled file; by default a split of the run's recipe.")] = None,
    split: Annotated[
        SplitName | None,
        typer.Option(help="Without --data: the split of the run's recipe; test, or validation where there is no test."),
    ] = None,
    references: ReferencesOption = None,
    format: FormatOption = None,
    overrides: DecodingOption = None,
    dtype: DtypeOption = "float32",
) -> None:
    """Score a run on labelled data. Of a folder with several seeds or folds, score each run: mean and spread."""
    from hf_tasks import load_run

    if (group := several(run)) is None:
        loaded = load_run(run, overrides or (), dtype=dtype)
        chosen = split or default_split(loaded, data, references)
        print(table(loaded.evaluate(labelled(loaded, data, chosen, format, references))))
        return
    from hf_tasks.training.run_group import summarize_split

    runs = [load_run(group.folder(number), overrides or (), dtype=dtype) for number in group.numbers]
    chosen = split or default_split(runs[0], data, references)
    rows = [labelled(one, data, chosen, format, references) for one in (runs if group.own_data else runs[:1])]
    results = [one.evaluate(rows[i % len(rows)]) for i, one in enumerate(runs)]
    measured = summarize_split(results, interval=not group.own_data)
    print("\n".join(group.table("data" if data else chosen, measured)))


@app.command(cls=SeveralValues)
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN OTHER...", help="Two or more runs, or folders with the runs of several seeds or folds."
        ),
    ],
    data: Annotated[
        str | None, typer.Option(help="A labelled file; by default a split of the first run's recipe.")
    ] = None,
    split: Annotated[SplitName, typer.Option(help="Without --data: the split of the first run's recipe.")] = "test",
    references: ReferencesOption = None,
    format: FormatOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A .jsonl file for the predictions of two runs that differ; or a .md, .csv, .tex or .txt table.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Compare two runs on the same examples: differences with intervals, tests, changed predictions.

    Of two folders with several seeds, compare the means; with folds, the predictions of all folds. Of more
    runs, or with -o TABLE.md or .tex, show a table of the scores that were measured after training.
    """
    from hf_tasks import load_run
    from hf_tasks.core.errors import RunError
    from hf_tasks.runs import compare

    check_output(output, [data or ""], overwrite)
    if len(runs) < 2:
        raise RunError(f"{runs[0]}: only one run; name two or more")
    groups = [several(run) for run in runs]
    mixed = len({type(group) for group in groups}) > 1
    if len(runs) > 2 or mixed or (output and output.suffix in (".md", ".tex", ".txt")):
        if data:
            raise RunError("--data: compares two runs; without it, a table shows the scores after training")
        from hf_tasks.training import comparison

        scores = comparison.rows(runs, split)
        if output:
            comparison.write(scores, output)
        print(comparison.as_text(scores), end="")
        return
    if groups[0] and groups[1] and data is None:
        from hf_tasks.training import groups as compared

        found = compared.compare(groups[0], groups[1], split)
        if isinstance(found, list):
            print("\n".join(found))
            return
    else:
        both = load_run(runs[0]), load_run(runs[1])
        if data is None:
            compare.check_same_data(*both, split)
        found = compare.compare(*both, labelled(both[0], data, split, format, references), "" if data else split)
    print("\n".join(compare.lines(found, Path(runs[0]), Path(runs[1]))))
    if output:
        compare.write(found, output)


@app.command()
def predict(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run directory, or a run on the Hub; not with --model.")],
    input: Annotated[
        str | None,
        typer.Argument(
            help="A data file, a text in quotes, or - for standard input (one text or one JSON object a line)."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .jsonl, .csv or .parquet file (generated texts: or .txt)."),
    ] = None,
    format: FormatOption = None,
    top: Annotated[int | None, typer.Option(min=1, help="Keep only the highest probabilities.")] = None,
    inputs: Annotated[bool, typer.Option(help="Write the columns of the input too.")] = True,
    examples: Annotated[
        Path | None, typer.Option(help="Few-shot classification: more labelled examples, also of new labels.")
    ] = None,
    overwrite: OverwriteOption = False,
    overrides: DecodingOption = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Instead of a run: a Hub id (ID@REVISION) or the folder of a checkpoint."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="The task of --model, e.g. question-answering.")] = None,
    dtype: DtypeOption = "float32",
) -> None:
    """Predict a text, or each row of a file, in order.

    The output has the columns of the input, then the prediction: a table on a terminal, else JSON lines.
    """
    from hf_tasks.core.files import top_probabilities, writer
    from hf_tasks.runs.predictions import Predictions, text_table

    run, input = run_and_input(run, input, model)
    check_output(output, [input], overwrite)
    loaded = predictor(run, overrides or (), model, task, dtype)
    if examples:
        if model:
            raise typer.BadParameter("belongs to a run; remove it, or --model", param_hint="--examples")
        loaded = loaded.with_examples(examples)
    with writer(output, texts=loaded.recipe.task.traits.writes_text) as write:
        split = read_text(loaded, input) if is_text(input) else read(loaded, input, format, labelled=False)
        predictions = loaded.predict_split(split, "Predicting").predictions
        kept = [top_probabilities(row, top) for row in predictions] if top else predictions
        rows = [*Predictions(kept, split.rows_read if inputs else ()).rows()]
        if output is None and sys.stdout.isatty():
            print(text_table(rows, shutil.get_terminal_size().columns))
        else:
            write(rows)
    if output:
        print(f"{len(rows)} predictions in {output}", file=sys.stderr)


@app.command()
def export(
    run: RunArg,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")],
    merge: Annotated[bool, typer.Option("--merge", help="Merge an adapter into the base weights.")] = False,
    dtype: DtypeOption = "float32",
) -> None:
    """Write the model of a run as a plain checkpoint for transformers."""
    from hf_tasks import load_run
    from hf_tasks.runs.export import export as export_run

    difference = export_run(load_run(run), out, merge=merge, dtype=dtype)
    print(f"{out}: loads with transformers alone; its outputs differ from the run's by {difference:.1e} at most")


@app.command()
def verify(
    run: RunArg,
    renew: Annotated[bool, typer.Option("--renew", help="Accept the files as they are: a new manifest.")] = False,
) -> None:
    """Compare every file of a run with the hashes that training wrote, and its scores with the counts of each example;
    say whether its data have changed since."""
    from hf_tasks import load_run
    from hf_tasks.core.errors import DataError, RunError
    from hf_tasks.runs import manifest, recompute, same_data

    trained_here = renew and manifest.renew(Path(run))
    try:
        loaded = load_run(run)
        count = manifest.check(loaded.path, thorough=True)
    except RunError as e:
        raise RunError(*e.problems, *recompute.problems_in(Path(run))) from None
    if wrong := recompute.problems(loaded):
        raise RunError(*(f"{loaded.path}: {problem}" for problem in wrong))
    if not count:
        raise RunError(f"{loaded.path}: has no {manifest.FILE}; accept the files as they are with --renew")
    print(f"{loaded.path}: all {count} files are as they were {'accepted' if renew else 'written'}")
    if renew and not trained_here and not loaded.trained_here:
        print("it counts as trained elsewhere: the snippets of its card run only with --run-snippets")
    print(recompute.line(loaded))
    try:
        changes = list(same_data.changed(loaded).values())
    except DataError as e:
        changes = [f"the data were not compared: {e.problems[0]}"]
    for change in changes:
        print(f"warning: {change}", file=sys.stderr)
