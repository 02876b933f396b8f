"""Commands that make something of a run for people: report, demo, card, push."""

from pathlib import Path
from typing import Annotated

import typer

from hf_tasks.cli.input import several
from hf_tasks.cli.options import RunArg, RunSnippetsOption

app = typer.Typer()


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
