"""`mine`: hard negatives for anchors and positives, the texts that an embedding model takes for positives.

Of each anchor's nearest texts, those that are known positives are left out, and those whose cosine is above a share of
the positive's own, which are probably positives too (TopK-PercPos, Moreira et al. 2024, https://arxiv.org/abs/2407.15831).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_tasks.core import hardware
from hf_tasks.core.errors import DataError, RunError
from hf_tasks.data import read_file, read_rows
from hf_tasks.models.load import load_model, load_tokenizer
from hf_tasks.models.section import Model
from hf_tasks.models.sentence_embedding import embed_sentences
from hf_tasks.runs import evaluation, model_files
from hf_tasks.runs.run import RECIPE, Run
from hf_tasks.tasks import SentenceSimilarity
from hf_tasks.tasks.sentence_similarity.ranks import unit
from hf_tasks.tasks.types import Example

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

ANCHORS = SentenceSimilarity(name="sentence-similarity", target="positive", loss_function="in-batch")


@dataclass(frozen=True)
class SentenceEncoder:
    """A model of sentence embeddings."""

    model: "nn.Module"
    tokenizer: "PreTrainedTokenizerBase"
    task: SentenceSimilarity

    @classmethod
    def load(cls, name: str) -> "SentenceEncoder":
        """Load a run of a task with embeddings, or a checkpoint, whose tokens are averaged. Raises RunError."""
        import torch

        hardware.use_fast_matmul()
        if (Path(name) / RECIPE).is_file():
            run = Run.load(name)
            if not run.recipe.task.model_spec.embeds:
                raise RunError(f"{name}: {run.recipe.task.name} has no sentence embeddings; name a checkpoint")
            task = ANCHORS.model_copy(update={"max_length": run.recipe.task.max_length})
            return cls(run.model, run.tokenizer, task)
        section = Model(name_or_path=name)
        tokenizer = load_tokenizer(section, ANCHORS)
        model = load_model(section, ANCHORS, tokenizer)
        model_files.check_embedder(model, ())
        embed_sentences(model, "mean")
        return cls(model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer, ANCHORS)

    def vectors(self, texts: Sequence[str], description: str) -> np.ndarray:
        """Return the embeddings (N, H) of texts, of length 1."""
        examples = read_rows([{"anchor": text} for text in texts], self.task, labelled=False).examples
        encoded = evaluation.encode(examples, self.task, self.tokenizer)
        items, _ = evaluation.outputs(self.model, self.task, encoded, self.tokenizer, description=description)
        return unit(np.concatenate(items))


def read(path: str, columns: Sequence[str], format: str | None = None) -> list[Example]:
    """Read the anchors and positives of a file; `columns`: NAME=COLUMN. Raises DataError."""
    names = dict(column.split("=", 1) for column in columns if "=" in column)
    if len(names) < len(columns) or names.keys() - {"anchor", "positive", "negatives"}:
        raise DataError(f"--column {' --column '.join(columns)}: give for example anchor=question")
    return list(read_file(path, ANCHORS, format=format, columns=names).examples)


def mined(
    rows: Sequence[Example], encoder: SentenceEncoder, *, negatives: int, margin: float, nearest: int
) -> Iterator[dict[str, Any]]:
    """Yield the rows with up to `negatives` hard negatives each, from the positives and negatives of all rows.

    `margin`: a negative's cosine is at most 1 - margin times that of the positive. `nearest`: how many of the nearest
    texts are looked at.
    """
    anchors = {anchor: i for i, anchor in enumerate(dict.fromkeys(row["anchor"] for row in rows))}
    every = dict.fromkeys(text for row in rows for text in (row["positive"], *row.get("negatives", ())))
    texts = {text: i for i, text in enumerate(every)}
    positives: dict[str, set[int]] = {anchor: {texts[anchor]} if anchor in texts else set() for anchor in anchors}
    for row in rows:
        positives[row["anchor"]].add(texts[row["positive"]])
    asked = encoder.vectors(list(anchors), "Embedding anchors")
    known, names = encoder.vectors(list(texts), "Embedding texts"), list(texts)
    for row in rows:
        cosines = known @ asked[anchors[row["anchor"]]]
        limit = (1 - margin) * float(cosines[texts[row["positive"]]])
        cosines[sorted(positives[row["anchor"]])] = -np.inf
        order = np.argsort(-cosines, kind="stable")[:nearest]
        chosen = order[(cosines[order] <= limit) & np.isfinite(cosines[order])][:negatives]
        yield {"anchor": row["anchor"], "positive": row["positive"], "negatives": [names[i] for i in chosen]}
