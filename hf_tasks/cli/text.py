"""Commands that take texts and need no run: vectors of texts, the consensus of several systems."""

import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from hf_tasks.cli.input import format_of
from hf_tasks.cli.options import FormatOption, SeveralValues

app = typer.Typer()


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
    from hf_tasks.runs import embed as extraction

    extraction.check_output(output, pool)
    texts = extraction.texts_of(input, format_of(input, format))
    extractor = extraction.Extractor.load(model)
    chosen = extractor.layers(layers)
    began = time.perf_counter()
    batches = extractor.encode(texts, chosen, pool, normalize, batch_size)
    cut = extraction.write(output, batches, len(texts), chosen, pool)
    speed = len(texts) / (time.perf_counter() - began)
    notes = f"; {cut} texts cut to {extractor.max_length} tokens" if cut else ""
    print(f"{len(texts)} rows in {output}, {speed:.0f} a second{notes}", file=sys.stderr)


@app.command(cls=SeveralValues)
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
    from hf_tasks.runs import combine_systems

    choose = combine_systems.chooser(utility, prune=prune, aggregate=aggregate)
    combine_systems.check_output(output)
    segments = combine_systems.read(candidates)
    truth = combine_systems.read(references, len(segments)) if references else None
    possible = combine_systems.read(pseudo_references, len(segments)) if pseudo_references else None
    result = combine_systems.combine(segments, choose, possible)
    combine_systems.write(result, output)
    report = sys.stdout if output else sys.stderr
    print(f"utility {utility}: {result.summary()}", file=report)
    if truth:
        print(combine_systems.report(candidates, segments, truth, result.texts, utility), file=report)
