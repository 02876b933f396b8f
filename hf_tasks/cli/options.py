"""Arguments and options that several commands share."""

from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

RecipeArg = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped recipe.")]
RunArg = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run directory, or a run on the Hub: ORG/NAME or ORG/NAME@REVISION."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, e.g. training.learning_rate=3e-5."),
]
DecodingOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a decoding option, e.g. decoding.num_beams=5."),
]
RunSnippetsOption = Annotated[
    bool,
    typer.Option("--run-snippets", help="Also run the Python code in the card of a run that was not trained here."),
]
SplitName = Literal["train", "validation", "test"]
ReferencesOption = Annotated[
    list[str] | None, typer.Option(help="With --data FILE of source texts: the reference file(s), line by line.")
]
Dtype = Literal["float32", "bfloat16"]
DtypeOption = Annotated[
    Dtype,
    typer.Option(help="Precision of the model; bfloat16 is faster where the hardware computes it, and rounds."),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output file.")]
FormatOption = Annotated[str | None, typer.Option(help="The input's format; by default from its ending.")]


class SeveralValues(TyperCommand):
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
