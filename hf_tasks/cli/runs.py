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
    RunSnippetsOption,
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
def report(
    run: RunArg,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The HTML file; default RUN/report.html, or NAME-report.html for a Hub run."
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--slice", metavar="COLUMN", help="Scores for each value of a data column; may be repeated."),
    ] = None,
    attention: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE:LINE", help="Attention of an example, e.g. test.csv:17; may be repeated."),
    ] = None,
    probe: Annotated[bool, typer.Option("--probe", help="Accuracy of a linear classifier on each layer.")] = False,
) -> None:
    """Write one HTML file: learning curves, results, errors with their texts, slices, possible label errors.

    Of a folder with several seeds or folds: their spread; of folds also the errors of all folds together.
    """
    from hf_tasks import load_run
    from hf_tasks.publish.report import report as write_report

    if group := several(run):
        from hf_tasks.core.errors import RunError
        from hf_tasks.training import group_report

        if attention or probe:
            raise RunError(f"{run}: --attention and --probe need one run; name one of its folders")
        print(group_report.report(group, output, columns or ()))
        return
    loaded, of_hub = load_run(run), not Path(run).exists()
    recipe_dir = Path(f"{run.partition('@')[0].rpartition('/')[2]}-report.html") if of_hub else None
    print(write_report(loaded, output or recipe_dir, columns or (), attention=attention or (), probe=probe))


@app.command()
def demo(
    run: RunArg,
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to bind.")] = 7860,
    space: Annotated[Path | None, typer.Option(metavar="DIR", help="Write a Hub Space into DIR instead.")] = None,
    repo_id: Annotated[
        str | None,
        typer.Option(metavar="ORG/NAME", help="With --space: the repository that holds the run."),
    ] = None,
) -> None:
    """Try a run in the browser; works offline."""
    from hf_tasks import load_run
    from hf_tasks.core.errors import RunError
    from hf_tasks.publish import demo as demos

    if space:
        where = repo_id or (None if Path(run).exists() else run)
        print("\n".join(demos.write_space(load_run(run), space, where)))
    elif repo_id:
        raise RunError("--repo-id: names the repository that a Space fetches the run from; add --space DIR")
    else:
        demos.serve(load_run(run), host, port)


@app.command()
def card(
    run: RunArg,
    write: Annotated[bool, typer.Option("--write", help="Update the generated sections of RUN/README.md.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Run the card's snippets, compare its numbers.")] = False,
    run_snippets: RunSnippetsOption = False,
) -> None:
    """Show, write or check the model card of a run; show or write the results of several seeds or folds."""
    from hf_tasks import load_run
    from hf_tasks.core.errors import RunError
    from hf_tasks.publish import card as cards

    if group := several(run):
        from hf_tasks.core.files import write_text
        from hf_tasks.training import group_report

        if check:
            raise RunError(f"--check: checks the card of one run; name it, e.g. {group.folder(group.numbers[0])}")
        if write:
            write_text(group.path / "README.md", group_report.card(group))
            print(group.path / "README.md")
        else:
            cards.show(group_report.card(group))
        return
    loaded = load_run(run)
    if write and not Path(run).exists():
        name = run.partition("@")[0]
        raise RunError(f"--write: {run} is on the Hub; fetch it first: hf download {name} --local-dir FOLDER")
    if write:
        print(cards.write(loaded))
    if check and (problems := cards.check(loaded, run_snippets=run_snippets)):
        raise RunError(*problems)
    if check:
        left_out = cards.not_run(loaded, run_snippets)
        print(f"the numbers and metadata are true; {left_out}" if left_out else "all that the card says is true")
    if not write and not check:
        cards.show(cards.text(loaded))


@app.command()
def push(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    repo_id: Annotated[str, typer.Argument(metavar="ORG/NAME", help="The repository; created if it does not exist.")],
    public: Annotated[bool, typer.Option("--public", help="Create a public repository, or push to one.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Allow changes to a repository that is not empty.")] = False,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Tag the commit.")] = None,
    revision: Annotated[str | None, typer.Option(metavar="BRANCH", help="Push to this branch.")] = None,
    predictions: Annotated[bool, typer.Option("--predictions", help="Also upload the predictions.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the files, send nothing.")] = False,
    run_snippets: RunSnippetsOption = False,
) -> None:
    """Push a run to the Hub with its card, as one commit; private by default."""
    from hf_tasks.publish.hub.push import push as push_run

    pushed = push_run(
        run, repo_id, private=not public, update=update, tag=tag, revision=revision, predictions=predictions,
        dry_run=dry_run, run_snippets=run_snippets,
    )  # fmt: skip
    if dry_run:
        print("\n".join(f"{size:>14,}  {name}" for name, size in pushed.files.items()))
    print(f"{pushed.bytes:>14,}  bytes in {len(pushed.files)} files" + (", nothing was sent" if dry_run else ""))
    print(pushed.url)


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
