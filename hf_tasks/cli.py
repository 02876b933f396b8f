"""The command line: import, load, call, print. Nothing heavy is imported before a command runs."""

import io
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from typer.core import TyperCommand

from hf_tasks.distributed import is_loss_of_a_process, is_main, launched
from hf_tasks.errors import UserError
from hf_tasks.show import table
from hf_tasks.trainer.interrupts import Interrupted

if TYPE_CHECKING:
    from hf_tasks.run import Run

app = typer.Typer(
    help="Fine-tune pretrained language models, from one recipe file to a measured model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
recipes_app = typer.Typer(
    help="The shipped recipes: list, show, copy; and the schema for editors.", no_args_is_help=True
)
app.add_typer(recipes_app, name="recipes")

RecipeArg = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped recipe.")]
RunArg = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="The directory that `train` wrote; or of the Hub, ORG/NAME or ORG/NAME@REVISION."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, e.g. training.learning_rate=3e-5."),
]
DecodingOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Find texts in another way, e.g. decoding.num_beams=5."),
]
PartName = Literal["train", "validation", "test"]
ReferencesOption = Annotated[
    list[str] | None, typer.Option(help="With --data, a text file of sources: the files of true texts, line by line.")
]
FormatOption = Annotated[str | None, typer.Option(help="The input's format, where its ending does not tell.")]


class _SeveralValues(TyperCommand):
    """`--references A B` is short for `--references A --references B`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        option, repeated = "", list[str]()
        for arg in args:
            if arg.startswith("-"):
                option, more = arg, [arg]
            else:
                again = option in ("--references", "--pseudo-references") and repeated[-1] != option
                more = [option, arg] if again else [arg]
            repeated += more
        return super().parse_args(ctx, repeated)


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
    from hf_tasks.seeds import SeedRuns

    changes = [*(overrides or ()), *([f"training.output_dir={json.dumps(str(output_dir))}"] if output_dir else [])]
    if num_processes and num_processes != launched():
        sys.exit(_in_processes(num_processes, ["train", recipe], changes, overwrite))
    run = train_recipe(recipe, changes, overwrite=overwrite)
    if not is_main():
        return
    if isinstance(run, SeedRuns):
        print("\n".join(["", *run.lines(), f"The runs are in {run.path}"]))
        return
    for part in ("validation", "test"):
        if part in run.results:
            print(f"\n{part}\n" + table(run.results[part]))
    training = run.results["training"]
    print(f"\n{training['seconds']} s in all, {training['samples_per_second']:.0f} training windows a second")
    print(f"The run is in {run.path}; next:")
    print(f"  hf-tasks predict {run.path} INPUT      predictions for a file, or for - (standard input)")
    print(f"  hf-tasks evaluate {run.path} --data FILE")


@app.command()
def init(
    data: Annotated[list[str], typer.Argument(metavar="DATA...", help="Files, globs, or a folder of parts.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The recipe's file, NAME.yaml where not given; - prints it.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The checkpoint; one that suits the data where not given.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the recipe that is there.")] = False,
) -> None:
    """Look at data files, recognise the task, and propose a recipe with comments, ready to train."""
    from hf_tasks import proposal

    found = proposal.propose(data, model)
    print("\n".join(found.seen), file=sys.stderr)
    if output == Path("-"):
        print(found.recipe, end="")
        return
    path = proposal.write(found, output, overwrite=overwrite)
    print(f"The recipe is in {path}; next:\n  hf-tasks check {path}\n  hf-tasks train {path}", file=sys.stderr)


@app.command()
def check(
    recipe: RecipeArg,
    overrides: SetOption = None,
    rehearsal: Annotated[
        bool, typer.Option("--rehearsal/--no-rehearsal", help="Do a little of the training: memory and time.")
    ] = True,
) -> None:
    """Everything that can be known before training: recipe, data, checkpoint, lengths, memory, disk, time."""
    from hf_tasks import check as check_recipe

    print("\n".join(check_recipe(recipe, overrides or (), rehearse=rehearsal)))
    print("ready to train")


@app.command()
def explain(recipe: RecipeArg, overrides: SetOption = None) -> None:
    """Every resolved value of a recipe, and where it comes from: a line, a default, the data."""
    from hf_tasks.explain import explain as explain_recipe
    from hf_tasks.explain import lines
    from hf_tasks.shipped import find

    print("\n".join(lines(explain_recipe(find(recipe), tuple(overrides or ())))))


@app.command(cls=_SeveralValues)
def evaluate(
    run: RunArg,
    data: Annotated[str | None, typer.Option(help="A labelled file; otherwise the recipe's own part.")] = None,
    part: Annotated[PartName, typer.Option(help="Without --data: which part of the run's recipe.")] = "test",
    references: ReferencesOption = None,
    format: FormatOption = None,
    overrides: DecodingOption = None,
) -> None:
    """Score a run on labelled data."""
    from hf_tasks import load_run

    loaded = load_run(run, overrides or ())
    rows = _labelled(loaded, data, part, format, references)
    results = loaded.evaluate(rows)
    print(table(results))


@app.command(cls=_SeveralValues)
def compare(
    first: RunArg,
    second: RunArg,
    data: Annotated[str | None, typer.Option(help="A labelled file; otherwise the first run's own part.")] = None,
    part: Annotated[PartName, typer.Option(help="Without --data: which part of the first run's recipe.")] = "test",
    references: ReferencesOption = None,
    format: FormatOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .jsonl or .csv file for the answers that differ.")
    ] = None,
) -> None:
    """Whether two runs differ on the same examples: differences with intervals, tests, and the changed answers.

    Two folders of several seeds: whether their means differ.
    """
    from hf_tasks import comparison, load_run, seeds

    if seeds.SeedRuns.is_here(first) and seeds.SeedRuns.is_here(second) and data is None:
        print("\n".join(seeds.compare(seeds.SeedRuns.load(first), seeds.SeedRuns.load(second), part)))
        return
    runs = load_run(first), load_run(second)
    found = comparison.compare(*runs, _labelled(runs[0], data, part, format, references))
    print("\n".join(comparison.lines(found, *(run.path for run in runs))))
    if output:
        comparison.write(found, output)


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
    from hf_tasks.shipped import find
    from hf_tasks.sweep.report import lines
    from hf_tasks.sweep.study import sweep as sweep_recipe

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
    from hf_tasks import lr_finder
    from hf_tasks.shipped import find

    lr_finder.check_output(output)
    curve = lr_finder.find(find(recipe), overrides or ())
    print("\n".join(lr_finder.lines(curve, recipe)))
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
    from hf_tasks.reproduce import reproduce as train_again

    reproduction = train_again(load_run(run), output_dir)
    print("\n".join(reproduction.lines()))
    sys.exit(0 if reproduction.same else 1)


@app.command()
def predict(
    run: RunArg,
    input: Annotated[
        str, typer.Argument(help="Any file the task reads, or - for standard input (a text a line, or JSON).")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .jsonl or .csv file (texts: .txt); else standard output.")
    ] = None,
    format: FormatOption = None,
    top: Annotated[int | None, typer.Option(min=1, help="Of all labels' probabilities, keep the highest ones.")] = None,
    overrides: DecodingOption = None,
) -> None:
    """Predict every row of a file, in order."""
    from hf_tasks import load_run
    from hf_tasks.rows_out import highest, writer

    loaded = load_run(run, overrides or ())
    with writer(output, texts=loaded.recipe.decoding is not None) as write:
        part = _read(loaded, input, format, labelled=False)
        predictions = loaded.predict_part(part, "Predicting").predictions
        write([highest(row, top) for row in predictions] if top else predictions)
    if output:
        print(f"{len(predictions)} predictions in {output}", file=sys.stderr)


@app.command()
def features(
    input: Annotated[str, typer.Argument(help="Any file of texts (lines, or a column `text`), or - .")],
    model: Annotated[str, typer.Option(help="A run, a checkpoint's folder, a Hub id, or package:NAME.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .parquet or .npy file.")],
    pool: Annotated[
        Literal["cls", "mean", "none"], typer.Option(help="The first token's vector, the mean, or one a token.")
    ] = "mean",
    layers: Annotated[str, typer.Option(help="last, all, or numbers such as -1,-2; 0 are the embeddings.")] = "last",
    normalize: Annotated[bool, typer.Option(help="Scale each vector to length 1.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts that are computed at once.")] = 64,
    format: FormatOption = None,
) -> None:
    """What a model makes of texts: a vector for each row of a file, in order."""
    from hf_tasks import features as extraction

    extraction.check_output(output, pool)
    texts = extraction.texts_of(input, _format_of(input, format))
    extractor = extraction.Extractor.load(model)
    chosen = extractor.layers(layers)
    began = time.perf_counter()
    batches = extractor.encode(texts, chosen, pool, normalize, batch_size)
    cut = extraction.write(output, batches, len(texts), chosen, pool)
    speed = len(texts) / (time.perf_counter() - began)
    notes = f"; {cut} texts cut to {extractor.max_length} tokens" if cut else ""
    print(f"{len(texts)} rows in {output}, {speed:.0f} a second{notes}", file=sys.stderr)


@app.command(cls=_SeveralValues)
def mbr(
    candidates: Annotated[
        list[Path],
        typer.Argument(
            metavar="CANDIDATES...",
            help='First: a file of each system, one text a line; or a .jsonl file of "candidates".',
        ),
    ],
    references: Annotated[
        list[Path] | None, typer.Option(help="Files of true texts: score the consensus and each system.")
    ] = None,
    utility: Annotated[
        str, typer.Option(help="chrf, chrf++, bleu, rouge1, rouge2, rougeL, token_f1 or embedding:MODEL.")
    ] = "chrf",
    pseudo_references: Annotated[
        list[Path] | None, typer.Option(help="Files of texts that may be right; without them, the candidates.")
    ] = None,
    prune: Annotated[bool, typer.Option(help="Give up unlikely candidates early.")] = False,
    aggregate: Annotated[bool, typer.Option(help="Compare with an average of the pseudo-references (chrf).")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A text or .jsonl file, not stdout.")] = None,
) -> None:
    """The consensus of several systems' texts: minimum Bayes risk."""
    from hf_tasks import consensus

    choose = consensus.chooser(utility, prune=prune, aggregate=aggregate)
    consensus.check_output(output)
    segments = consensus.read(candidates)
    truth = consensus.read(references, len(segments)) if references else None
    possible = consensus.read(pseudo_references, len(segments)) if pseudo_references else None
    result = consensus.consensus(segments, choose, possible)
    consensus.write(result, output)
    report = sys.stdout if output else sys.stderr
    print(f"utility {utility}: {result.summary()}", file=report)
    if truth:
        print(consensus.report(candidates, segments, truth, result.texts, utility), file=report)


@app.command()
def card(
    run: RunArg,
    write: Annotated[bool, typer.Option("--write", help="Renew the generated parts of RUN/README.md.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Run its snippets, compare its numbers.")] = False,
) -> None:
    """Show the model card of a run, as it is or would be; write it; check that all of it is true."""
    from hf_tasks import card as cards
    from hf_tasks import load_run
    from hf_tasks.errors import RunError

    loaded = load_run(run)
    if write:
        print(cards.write(loaded))
    if check and (problems := cards.check(loaded)):
        raise RunError(*problems)
    if check:
        print("all that the card says is true")
    if not write and not check:
        cards.show(cards.text(loaded))


@app.command()
def demo(
    run: RunArg,
    host: Annotated[str, typer.Option(help="The address that is listened to.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 7860,
    space: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the folder of a Hub Space instead.")] = None,
    repo_id: Annotated[
        str | None, typer.Option(metavar="ORG/NAME", help="With --space: fetch the run from there, copy nothing.")
    ] = None,
) -> None:
    """A page in the browser where one asks a run; nothing leaves this machine."""
    from hf_tasks import demo as demos
    from hf_tasks import load_run
    from hf_tasks.errors import RunError

    if space:
        where = repo_id or (None if Path(run).exists() else run)
        print("\n".join(demos.write_space(load_run(run), space, where)))
    elif repo_id:
        raise RunError("--repo-id: tells a Space where the run is; give --space DIR too")
    else:
        demos.serve(load_run(run), host, port)


@app.command()
def report(
    run: RunArg,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file; RUN/report.html else.")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--slice", metavar="COLUMN", help="Scores by the values of a column of the data; repeat it."),
    ] = None,
) -> None:
    """All that a run tells, as one HTML file: curves, results, errors with their texts, slices, suspected labels."""
    from hf_tasks import load_run
    from hf_tasks.report import report as write_report

    print(write_report(load_run(run), output, columns or ()))


@app.command()
def push(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The directory that `train` wrote.")],
    repo_id: Annotated[str, typer.Argument(metavar="ORG/NAME", help="The repository; made where there is none.")],
    public: Annotated[bool, typer.Option("--public", help="Make it a public one, or push to a public one.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Change a repository that holds something.")] = False,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Tag the commit.")] = None,
    revision: Annotated[str | None, typer.Option(metavar="BRANCH", help="Push to this branch.")] = None,
    predictions: Annotated[bool, typer.Option("--predictions", help="Also the predictions of the run.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be pushed; ask nobody.")] = False,
) -> None:
    """Push a run to the Hub: private, as one commit, with its card."""
    from hf_tasks.hub.push import push as push_run

    pushed = push_run(
        run, repo_id, private=not public, update=update, tag=tag, revision=revision, predictions=predictions,
        dry_run=dry_run,
    )  # fmt: skip
    if dry_run:
        print("\n".join(f"{size:>14,}  {name}" for name, size in pushed.files.items()))
    print(f"{pushed.bytes:>14,}  bytes in {len(pushed.files)} files" + (", nothing was sent" if dry_run else ""))
    print(pushed.url)


@app.command()
def export(
    run: RunArg,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that does not exist yet.")],
    merge: Annotated[bool, typer.Option("--merge", help="Merge an adapter into its base.")] = False,
) -> None:
    """Write a run's model as one plain checkpoint, which transformers loads by itself."""
    from hf_tasks import load_run
    from hf_tasks.export import export as export_run

    difference = export_run(load_run(run), out, merge=merge)
    print(f"{out}: loads with transformers alone; its outputs differ from the run's by {difference:.1e} at most")


@recipes_app.command("list")
def list_recipes() -> None:
    """The shipped recipes, one a line."""
    from hf_tasks.shipped import shipped, title

    for name, path in shipped().items():
        print(f"{name:<32} {title(path)}")


@recipes_app.command("show")
def show_recipe(name: Annotated[str, typer.Argument(help="A shipped recipe.")]) -> None:
    """Print a recipe."""
    from hf_tasks.shipped import find

    print(find(name).read_text(encoding="utf-8"), end="")


@recipes_app.command("copy")
def copy_recipe(
    name: Annotated[str, typer.Argument(help="A shipped recipe.")],
    to: Annotated[Path, typer.Argument(help="A file or folder.")] = Path(),
) -> None:
    """Copy a recipe, to be changed."""
    from hf_tasks.errors import RecipeError
    from hf_tasks.shipped import find

    source = find(name)
    target = to / source.name if to.is_dir() else to
    if target.exists():
        raise RecipeError(f"{target}: exists already; name another file")
    if not target.parent.is_dir():
        raise RecipeError(f"{target.parent}: there is no such folder; make it first")
    target.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    print(target)


@recipes_app.command("schema")
def schema() -> None:
    """Print the JSON schema of recipe files, for editors that complete and check YAML."""
    from hf_tasks.recipe import Recipe

    print(json.dumps(Recipe.model_json_schema(), indent=1))


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


def _in_processes(processes: int, command: list[str], changes: list[str], overwrite: bool) -> int:
    """The exit code of a command that several processes share."""
    from hf_tasks.errors import RunError
    from hf_tasks.launch import launch

    if launched() > 1:
        raise RunError(f"--num-processes {processes}: {launched()} processes were started; remove it, or start as many")
    options = [argument for change in changes for argument in ("--set", change)]
    return launch(processes, [*command, *options, *(["--overwrite"] if overwrite else [])])


def _labelled(run: "Run", data: str | None, part: PartName, format: str | None, references: list[str] | None) -> Any:
    """The rows of a file, or of a part of the run's own recipe."""
    from hf_tasks.errors import RunError
    from hf_tasks.preflight import prepare

    if data is not None:
        return _read(run, data, format, references or (), labelled=True)
    if references:
        raise RunError("--references: they belong to a file of sources; name it with --data")
    parts = prepare(run.recipe, run.recipe_folder)[1].named()
    if part not in parts:
        raise RunError(f"--part {part}: the run's recipe has no {part} part; give a labelled file with --data")
    return parts[part]


def _read(run: "Run", path: str, format: str | None, targets: Sequence[str] = (), *, labelled: bool) -> Any:
    from hf_tasks.data import read_file

    format = _format_of(path, format)
    section = run.recipe.data
    if labelled and format is None:
        format = section.format
    bad_rows = section.bad_rows if labelled else "stop"
    return read_file(
        path, run.recipe.task, format=format, columns=section.columns, labelled=labelled, bad_rows=bad_rows,
        targets=targets,
    )  # fmt: skip


def _format_of(path: str, format: str | None) -> str | None:
    """The format of standard input is seen from its beginning."""
    if path != "-" or format is not None:
        return format
    return "jsonl" if _first_bytes().lstrip().startswith(b"{") else "text"


def _first_bytes() -> bytes:
    """What standard input begins with, still there to be read."""
    buffer = sys.stdin.buffer
    return buffer.peek(1) if isinstance(buffer, io.BufferedReader) else b""


if __name__ == "__main__":
    main()
