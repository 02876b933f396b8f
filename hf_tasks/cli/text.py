"""Commands for texts that need no run: embeddings, and the consensus of several systems."""

import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from hf_tasks.cli.input import check_output, format_of
from hf_tasks.cli.options import FormatOption, OverwriteOption, SeveralValues

app = typer.Typer()


@app.command()
def embed(
    input: Annotated[str, typer.Argument(help="A file of texts (lines, or a column `text`), or - for standard input.")],
    model: Annotated[str, typer.Option(help="A run, a checkpoint folder, a Hub id, or package:NAME.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .parquet or .npy file.")],
    pool: Annotated[
        Literal["cls", "mean", "none"],
        typer.Option(help="First token, mean over tokens, or every token."),
    ] = "mean",
    layers: Annotated[str, typer.Option(help="last, all, or numbers, e.g. -1,-2; 0 is the embedding layer.")] = "last",
    normalize: Annotated[bool, typer.Option(help="Scale each vector to length 1.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts in one batch.")] = 64,
    format: FormatOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Compute embeddings: one vector for each row of a file, in order."""
    from hf_tasks.runs import embed as embeddings

    check_output(output, [input], overwrite)
    embeddings.check_output(output, pool)
    texts = embeddings.texts_of(input, format_of(input, format))
    extractor = embeddings.Extractor.load(model)
    chosen = extractor.layers(layers)
    began = time.perf_counter()
    batches = extractor.encode(texts, chosen, pool, normalize, batch_size)
    cut = embeddings.write(output, batches, len(texts), chosen, pool)
    speed = len(texts) / (time.perf_counter() - began)
    notes = f"; {cut} texts cut to {extractor.max_length} tokens" if cut else ""
    print(f"{len(texts)} rows in {output}, {speed:.0f} a second{notes}", file=sys.stderr)


@app.command()
def mine(
    input: Annotated[str, typer.Argument(help="A file with columns `anchor` and `positive`, perhaps `negatives`.")],
    model: Annotated[str, typer.Option(help="A run, a checkpoint folder, a Hub id, or package:NAME.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .jsonl, .csv or .parquet file.")],
    negatives: Annotated[int, typer.Option(min=1, help="Negatives of each row at most.")] = 3,
    margin: Annotated[
        float,
        typer.Option(min=0, max=1, help="Negatives have at most 1 - MARGIN times the cosine of the positive."),
    ] = 0.05,
    nearest: Annotated[int, typer.Option(min=1, help="How many of the nearest texts are looked at.")] = 100,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="NAME=COLUMN", help="anchor=COLUMN or positive=COLUMN of the file."),
    ] = None,
    format: FormatOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Find hard negatives for training data of sentence similarity: near texts that are not the positive."""
    from hf_tasks.core.files import writer
    from hf_tasks.runs import mine as mining

    check_output(output, [input], overwrite)
    rows = mining.read(input, columns or (), format_of(input, format))
    with writer(output) as write:
        encoder = mining.SentenceEncoder.load(model)
        found = list(mining.mined(rows, encoder, negatives=negatives, margin=margin, nearest=nearest))
        write(found)
    without = sum(not row["negatives"] for row in found)
    notes = f"; {without} rows have none" if without else ""
    print(
        f"{sum(len(row['negatives']) for row in found)} negatives for {len(found)} rows in {output}{notes}",
        file=sys.stderr,
    )


@app.command(cls=SeveralValues)
def mbr(
    candidates: Annotated[
        list[Path],
        typer.Argument(
            metavar="CANDIDATES...",
            help='One file for each system, one text a line; or a .jsonl file with "candidates".',
        ),
    ],
    references: Annotated[
        list[Path] | None, typer.Option(help="Reference files: score the consensus and each system.")
    ] = None,
    utility: Annotated[
        str, typer.Option(help="chrf, chrf++, bleu, rouge1, rouge2, rougeL, token_f1 or embedding:MODEL.")
    ] = "chrf",
    pseudo_references: Annotated[
        list[Path] | None, typer.Option(help="Files of pseudo-references; the candidates by default.")
    ] = None,
    prune: Annotated[bool, typer.Option(help="Drop unlikely candidates early.")] = False,
    aggregate: Annotated[bool, typer.Option(help="Compare with an average of the pseudo-references (chrf).")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A text or .jsonl file; default stdout.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Choose the consensus of several systems' texts by minimum Bayes risk (MBR)."""
    from hf_tasks.runs import combine_systems

    choose = combine_systems.chooser(utility, prune=prune, aggregate=aggregate)
    combine_systems.check_output(output)
    check_output(output, [*candidates, *(references or ()), *(pseudo_references or ())], overwrite)
    segments = combine_systems.read(candidates)
    truth = combine_systems.read(references, len(segments)) if references else None
    possible = combine_systems.read(pseudo_references, len(segments)) if pseudo_references else None
    result = combine_systems.combine(segments, choose, possible)
    combine_systems.write(result, output)
    report = sys.stdout if output else sys.stderr
    print(f"utility {utility}: {result.summary()}", file=report)
    if truth:
        print(combine_systems.report(candidates, segments, truth, result.texts, utility), file=report)
