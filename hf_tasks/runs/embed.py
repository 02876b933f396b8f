"""`embed`: extract hidden states as one vector per text, or per token, from any layers of a model."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hf_tasks.core import hardware
from hf_tasks.core.errors import DataError, RecipeError
from hf_tasks.core.files import atomic_output
from hf_tasks.core.progress import progress
from hf_tasks.data import read_file, read_inputs
from hf_tasks.models.layers import reads_choices
from hf_tasks.models.load import load_model, load_tokenizer
from hf_tasks.models.section import Model
from hf_tasks.runs.run import RECIPE, Run
from hf_tasks.tasks import TextClassification
from hf_tasks.tasks.types import max_input_length

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedTokenizerBase

Pool = Literal["cls", "mean", "none"]
CHUNK = 64
"""Number of batches that are sorted by length and written together."""
TEXTS = TextClassification(name="text-classification", labels=("0", "1"), problem_type="single_label_classification")
"""The task for reading input files and loading checkpoints without a run; its head is not used."""


@dataclass(frozen=True)
class Embedding:
    """The vectors of one text."""

    text: str
    tokens: list[str]
    vectors: np.ndarray
    """(layers, H), or (tokens, layers, H) without pooling; float32."""
    truncated: bool
    """Whether the text was longer than the model can read."""


@dataclass(frozen=True)
class Extractor:
    """A model whose hidden states are extracted."""

    model: "nn.Module"
    tokenizer: "PreTrainedTokenizerBase"
    max_length: int

    @classmethod
    def load(cls, name: str) -> "Extractor":
        """Load a run's directory, a checkpoint's folder, a Hub id or `package:NAME`. Raises RunError."""
        import torch

        hardware.use_fast_matmul()
        if (Path(name) / RECIPE).is_file():
            run = Run.load(name)
            return cls(run.model, run.tokenizer, max_input_length(run.recipe.task.max_length, run.tokenizer))
        section = Model(name_or_path=name)
        tokenizer = load_tokenizer(section, TEXTS)
        model = load_model(section, TEXTS, tokenizer).to("cuda" if torch.cuda.is_available() else "cpu").eval()
        return cls(model, tokenizer, max_input_length(TEXTS.max_length, tokenizer))

    def layers(self, wanted: str) -> list[int]:
        """Parse `last`, `all` or numbers such as `0,-1` into layer indices; 0: embeddings. Raises RecipeError."""
        top = len(self.states(self.tokenizer(["a"], return_tensors="pt"))) - 1
        match wanted:
            case "last":
                return [top]
            case "all":
                return list(range(top + 1))
        try:
            numbers = [int(number) for number in wanted.split(",")]
        except ValueError:
            raise RecipeError(f"--layers {wanted}: give last, all, or numbers such as -1,-2") from None
        if far := [n for n in numbers if not -top - 1 <= n <= top]:
            raise RecipeError(
                f"--layers {wanted}: there is no layer {far[0]}; there are 0 (embeddings) to {top}, or -{top + 1} to -1"
            )
        return [number % (top + 1) for number in numbers]

    def states(self, inputs: Any) -> "Sequence[Tensor]":
        """Return the hidden states (B, L, H) of every layer, the embeddings first."""
        import torch

        from hf_tasks.core.cpu_kernels import plain_attention

        device = next(self.model.parameters()).device
        encoder: Any = self.model
        if reads_choices(encoder):
            inputs = {name: tensor[:, None] for name, tensor in inputs.items()}
        if encoder.config.is_encoder_decoder:
            encoder = encoder.get_encoder()
        with plain_attention(), torch.inference_mode():
            output = encoder(**{name: tensor.to(device) for name, tensor in inputs.items()}, output_hidden_states=True)
        return output.hidden_states  # type: ignore[no-any-return]

    def encode(
        self, texts: Sequence[str], layers: Sequence[int], pool: Pool, normalize: bool = False, batch_size: int = 64
    ) -> Iterator[list[Embedding]]:
        """Yield the embeddings of the texts in order, CHUNK batches at a time; batches have texts of similar length."""
        with progress(len(texts), "Encoding", "texts") as bar:
            for start in range(0, len(texts), CHUNK * batch_size):
                chunk = list(texts[start : start + CHUNK * batch_size])
                lengths = np.array([len(ids) for ids in self.tokenizer(chunk, verbose=False)["input_ids"]])
                order = np.argsort(-lengths, kind="stable")
                found: dict[int, Embedding] = {}
                for rows in np.array_split(order, range(batch_size, len(order), batch_size)):
                    encoded = self._batch([chunk[row] for row in rows], layers, pool, normalize)
                    for row, (tokens, vectors) in zip(rows.tolist(), encoded, strict=True):
                        found[row] = Embedding(chunk[row], tokens, vectors, bool(lengths[row] > self.max_length))
                    bar.update(len(rows))
                yield [found[row] for row in range(len(chunk))]

    def _batch(
        self, texts: list[str], layers: Sequence[int], pool: Pool, normalize: bool
    ) -> Iterator[tuple[list[str], np.ndarray]]:
        """Yield (tokens, vectors) of each text."""
        import torch

        inputs = self.tokenizer(texts, truncation=True, max_length=self.max_length, padding=True, return_tensors="pt")
        known = self.states(inputs)
        states = torch.stack([known[layer].float().cpu() for layer in layers], dim=2).numpy()  # (B, L, layers, H)
        for state, ids, mask in zip(states, inputs["input_ids"], inputs["attention_mask"].bool(), strict=True):
            vectors = pooled(state[mask.numpy()], pool)
            tokens = self.tokenizer.convert_ids_to_tokens(ids[mask].tolist())
            yield tokens, normalized(vectors) if normalize else vectors


def pooled(states: np.ndarray, pool: Pool) -> np.ndarray:
    """Pool states (tokens, layers, H) to (layers, H) by the first token or the mean; "none" returns them unchanged."""
    match pool:
        case "cls":
            return states[0]  # type: ignore[no-any-return]
        case "mean":
            return states.mean(0)  # type: ignore[no-any-return]
        case "none":
            return states


def normalized(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors (..., H) to Euclidean length 1."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)  # type: ignore[no-any-return]


def vectors_of(
    texts: Any, model: str, layers: str, pool: Pool, *, normalize: bool = False, batch_size: int = 64
) -> np.ndarray:
    """Return the vectors of texts in Python objects: (N, H), or (N, layers, H) for several layers."""
    rows = list(read_inputs(texts, TEXTS).examples["text"][:])
    extractor = Extractor.load(model)
    chosen = extractor.layers(layers)
    batches = extractor.encode(rows, chosen, pool, normalize, batch_size)
    vectors = np.stack([one.vectors for batch in batches for one in batch])  # (N, layers, H)
    return vectors[:, 0] if len(chosen) == 1 else vectors


# -- files


def texts_of(path: str, format: str | None = None) -> list[str]:
    """Read the lines or the column `text` of a file; "-" is standard input. Raises DataError."""
    return list(read_file(path, TEXTS, format=format, labelled=False).examples["text"][:])


def check_output(path: Path, pool: Pool) -> None:
    """Raise DataError if the output file cannot be written."""
    if path.suffix not in (".parquet", ".npy"):
        raise DataError(f"{path}: embeddings are written as .parquet or .npy; use one of these endings")
    if path.suffix == ".npy" and pool == "none":
        raise DataError(f"{path}: .npy holds one vector per text; write .parquet, or choose --pool mean or cls")
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {path.parent}; create it first")


def write(path: Path, batches: Iterator[list[Embedding]], count: int, layers: Sequence[int], pool: Pool) -> int:
    """Write the vectors of `count` texts to a file that appears when it is complete; return how many were truncated.

    .parquet: `text`, without pooling also `tokens`, and `embedding` or, for several layers, `layer_0`, `layer_1`, ...
    .npy: (N, H), or (N, layers, H) for several layers.
    """
    with atomic_output(path, "wb") as file:
        return (_to_npy if path.suffix == ".npy" else _to_parquet)(file, batches, count, layers, pool)


def _to_npy(file: Any, batches: Iterator[list[Embedding]], count: int, layers: Sequence[int], pool: Pool) -> int:
    truncated = 0
    for i, batch in enumerate(batches):
        vectors = np.stack([one.vectors for one in batch])  # (B, layers, H)
        if len(layers) == 1:
            vectors = vectors[:, 0]
        if i == 0:
            header = {"descr": "<f4", "fortran_order": False, "shape": (count, *vectors.shape[1:])}
            np.lib.format.write_array_header_1_0(file, header)
        file.write(np.ascontiguousarray(vectors, "<f4").data)
        truncated += sum(one.truncated for one in batch)
    return truncated


def _to_parquet(file: Any, batches: Iterator[list[Embedding]], count: int, layers: Sequence[int], pool: Pool) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    names, truncated = ["embedding"] if len(layers) == 1 else [f"layer_{layer}" for layer in layers], 0
    with contextlib.ExitStack() as stack:
        writer: Any = None
        for batch in batches:
            columns: dict[str, Any] = {"text": pa.array([one.text for one in batch], pa.string())}
            if pool == "none":
                columns["tokens"] = pa.array([one.tokens for one in batch], pa.list_(pa.string()))
            columns |= {name: _column([one.vectors[..., i, :] for one in batch]) for i, name in enumerate(names)}
            table = pa.table(columns)
            writer = writer or stack.enter_context(parquet.ParquetWriter(file, table.schema))
            writer.write_table(table)
            truncated += sum(one.truncated for one in batch)
    return truncated


def _column(vectors: list[np.ndarray]) -> Any:
    """Return an Arrow array of vectors (H,) as fixed-size lists, or of (tokens, H) as lists of fixed-size lists."""
    import pyarrow as pa

    size = vectors[0].shape[-1]
    inner = pa.FixedSizeListArray.from_arrays(np.concatenate([one.reshape(-1) for one in vectors]), size)
    if vectors[0].ndim == 1:
        return inner
    return pa.ListArray.from_arrays(np.cumsum([0, *(len(one) for one in vectors)]).astype(np.int32), inner)
