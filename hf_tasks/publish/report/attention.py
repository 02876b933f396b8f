"""Attention of chosen examples: every head of every layer as a small picture, and what the first token attends to.

Weights show where a head reads, not why the model decides (Jain and Wallace 2019, https://aclanthology.org/N19-1357).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from hf_tasks.core.errors import RunError
from hf_tasks.core.section import did_you_mean
from hf_tasks.publish.plots import Picture, shown
from hf_tasks.publish.report.blocks import Block, Paragraph, ReportSection
from hf_tasks.publish.report.measured import MeasuredSplit
from hf_tasks.runs import evaluation
from hf_tasks.runs.run import Run
from hf_tasks.tasks.collate import model_inputs

MOST_TOKENS = 40
"""Tokens of a text that are drawn."""
LEVELS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)
"""Least attention of each shade."""
NOTE = (
    "Rows attend to columns, in the order of the text; darker: more attention. Attention shows what a head reads, "
    f"which is not by itself the reason for a prediction. Of a long text the first {MOST_TOKENS} tokens are drawn."
)
LABEL, GAP = 14, 3
"""Width of the numbers beside a grid, and the space between its squares, in units of the picture."""


def section(splits: Sequence[MeasuredSplit], wanted: Sequence[str]) -> ReportSection:
    """Pictures for each of the `wanted` examples, named as in the report: `test.csv:17`. Raises RunError."""
    blocks: list[Block] = [Paragraph(NOTE)] if wanted else []
    for where in wanted:
        measured, row = _find(splits, where)
        tokens, weights = attention(measured, row)
        name = f"{where}, {measured.name}"
        blocks.append(Picture(f"{name}: each head (columns) of each layer (rows)", heads(weights), wide=True))
        title = f"{name}: what {shown(tokens[0])} attends to, by layer, mean of the heads"
        blocks.append(Picture(title, first_token(tokens, weights), wide=True))
    return ReportSection("Attention", blocks)


def _find(splits: Sequence[MeasuredSplit], where: str) -> tuple[MeasuredSplit, int]:
    """The split and the row of an example."""
    known = [measured.where(row) for measured in splits for row in range(len(measured.examples))]
    for measured in splits:
        for row in range(len(measured.examples)):
            if measured.where(row) == where:
                return measured, row
    example = f"; write for example {known[0]}" if known else "; the run has none"
    raise RunError(f"--attention {where}: there is no such example{did_you_mean(where, known) or example}")


def attention(measured: MeasuredSplit, row: int) -> tuple[list[str], np.ndarray]:
    """The first tokens of an example, of a long one those of its first window, and the attention between them
    (layers, heads, T, T). Raises RunError for models whose attention is not of every token to every other."""
    import torch

    run, task = measured.run, measured.task
    features = evaluation.encode(measured.examples.select([row]), task, run.tokenizer).features
    batch = task.collator(run.tokenizer, run.model)([features[0]])
    device = next(run.model.parameters()).device
    inputs = {name: tensor.to(device) for name, tensor in model_inputs(batch).items()}
    with _eager(run), torch.inference_mode():
        output = run.model(**inputs, output_attentions=True)
    ids = inputs["input_ids"]
    text = int(measured.predictions[row]["label"]) if ids.ndim > 2 else 0  # the choice that is predicted
    ids = ids.flatten(0, -2)[text]
    layers = output.get("attentions") or output.get("encoder_attentions") or ()
    if not layers or any(one is None or one.shape[-2:] != (len(ids), len(ids)) for one in layers):
        config: Any = run.model.config
        reason = f"the attention of {config.model_type} models is not of every token to every other"
        raise RunError(f"--attention: {reason}; leave it out")
    weights = torch.stack([one[text].float().cpu() for one in layers])[..., :MOST_TOKENS, :MOST_TOKENS]
    return run.tokenizer.convert_ids_to_tokens(ids[:MOST_TOKENS].tolist()), weights.numpy()


@contextmanager
def _eager(run: Run) -> Iterator[None]:
    """Let the model compute its attention in the way that can return it."""
    model: Any = run.model
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def heads(weights: np.ndarray) -> Markup:
    """A grid of squares, one for each head, of attention (layers, heads, T, T)."""
    layers, count, size, _ = weights.shape
    step = size + GAP
    width, height = LABEL + count * step, LABEL + layers * step
    pieces = [_text(LABEL + h * step + size / 2, LABEL - 4, h + 1, "middle") for h in range(count)]
    pieces += [_text(LABEL - 4, LABEL + k * step + size / 2 + 3, k + 1, "end") for k in range(layers)]
    for (k, h), _ in np.ndenumerate(weights[:, :, 0, 0]):
        x, y = LABEL + h * step, LABEL + k * step
        pieces.append(f'<rect x="{x}" y="{y}" width="{size}" height="{size}" class="cell"/>')
        pieces += _cells(weights[k, h], x, y)
    return _svg(width, height, pieces, "attention of each head")


def first_token(tokens: Sequence[str], weights: np.ndarray) -> Markup:
    """A row for each layer, a column for each token: attention (layers, heads, T, T) of the first token."""
    mean, side = weights[:, :, 0].mean(1), 12  # (layers, T)
    depth = 6 * max(len(shown(token)) for token in tokens) + 6
    pieces = [_text(LABEL - 4, k * side + 10, k + 1, "end") for k in range(len(mean))]
    for j, token in enumerate(tokens):
        x, y = LABEL + j * side + side / 2 + 3, len(mean) * side + 4
        place = f'transform="translate({x:g} {y:g}) rotate(-90)"'
        pieces.append(
            f'<text {place} text-anchor="end" font-size="9" fill="currentColor">{escape(shown(token))}</text>'
        )
    width, height = LABEL + len(tokens) * side, len(mean) * side
    pieces.append(f'<rect x="{LABEL}" y="0" width="{len(tokens) * side}" height="{height}" class="cell"/>')
    return _svg(width, height + depth, [*pieces, *_cells(mean, LABEL, 0, side)], "attention of the first token")


def _cells(values: np.ndarray, x: int, y: int, side: int = 1) -> Iterator[str]:
    """A path for each shade over values (rows, columns)."""
    level = np.digitize(values, LEVELS)
    for shade in range(1, len(LEVELS) + 1):
        places = np.argwhere(level == shade)
        path = "".join(f"M{x + j * side} {y + i * side}h{side}v{side}h-{side}z" for i, j in places.tolist())
        if path:
            yield f'<path d="{path}" fill="var(--blue)" fill-opacity="{shade / len(LEVELS):.2f}"/>'


def _text(x: float, y: float, number: int, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="8" text-anchor="{anchor}" fill="var(--muted)">{number}</text>'


def _svg(width: float, height: float, pieces: Sequence[str], label: str) -> Markup:
    style = ".cell{fill:none;stroke:var(--muted);stroke-width:.4}"
    return Markup(
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{label}" style="max-width:{2 * width:g}px" '
        f'shape-rendering="crispEdges"><style>{style}</style>{"".join(pieces)}</svg>'
    )
