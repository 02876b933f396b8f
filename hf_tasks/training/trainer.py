"""TaskTrainer: the trainer of a task."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from transformers import PrinterCallback
from transformers.trainer_utils import EvalLoopOutput

from hf_tasks.core.cpu_kernels import fast_dropout
from hf_tasks.core.errors import RecipeError
from hf_tasks.core.terminal import say
from hf_tasks.models.sentence_embedding import EMBEDDING
from hf_tasks.recipe import Recipe
from hf_tasks.runs import evaluation
from hf_tasks.runs.status import unwritable
from hf_tasks.tasks import EncodedSplit
from hf_tasks.tasks.collate import items_in, model_inputs
from hf_tasks.tasks.types import Batch
from hf_tasks.training.arguments import autocasts, batch_size
from hf_tasks.training.gradient_cache import CachedPiece, cached_pieces
from hf_tasks.training.safe_trainer import SafeTrainer, split_batch


class TaskTrainer(SafeTrainer):
    """SafeTrainer with the task's loss, and evaluation by `evaluation.predict` as in all commands."""

    def __init__(
        self, recipe: Recipe, *, validation: EncodedSplit | None, train_stats: dict[str, Any], **options: Any
    ) -> None:
        self.recipe, self.task, self.validation, self.train_stats = recipe, recipe.task, validation, train_stats
        self.in_bfloat16 = autocasts(recipe)
        self.step_batches: list[Batch] = []
        """The batches of the current step in this process."""
        self.cached: Iterator[CachedPiece] | None = None
        """The pieces of the current step that are still to be trained on, for a loss of whole effective batches."""
        self.piece: CachedPiece | None = None
        features = validation and validation.features
        try:
            super().__init__(
                batch_size=batch_size(recipe), eval_dataset=features, compute_loss_func=self._loss, **options
            )
        except OSError as e:
            raise unwritable(recipe.output_dir, e) from None
        except (RuntimeError, ImportError) as e:
            raise RecipeError(f"training: {str(e).splitlines()[0]}") from e
        self.remove_callback(PrinterCallback)

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **options: Any) -> Any:
        self.batch = inputs
        inputs = model_inputs(inputs) | {"labels": inputs["labels"]}
        if "attention_mask" in inputs:
            self.counters["tokens"] += int(inputs["attention_mask"].sum())
            self.counters["padded_tokens"] += inputs["attention_mask"].numel()
        self.piece = self._next_piece()
        with self._fast(), self.piece.same_random_numbers() if self.piece else nullcontext():
            return super().compute_loss(model, inputs, *args, **options)

    @contextmanager
    def _fast(self) -> Iterator[None]:
        with fast_dropout(), torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.in_bfloat16):
            yield

    def _next_piece(self) -> CachedPiece | None:
        """Return the next piece of a step whose loss compares all rows; None where the loss of a piece is its own."""
        if not self.task.traits.loss_of_batches or not self.step_batches:
            return None
        if self.cached is None:
            size = int(self.counters["micro_batch_size"])
            pieces = [piece for batch in self.step_batches for piece in split_batch(batch, size)]
            if len(pieces) == 1 and self.args.world_size == 1:
                return None
            prepared = [self._prepare_inputs(piece) for piece in pieces]
            self.cached = iter(cached_pieces(self.task, prepared, self._embed, self.args.device))
        return next(self.cached)

    def _embed(self, batch: Batch) -> torch.Tensor:
        with self._fast():
            embeddings: torch.Tensor = self.model.train()(**model_inputs(batch))[EMBEDDING]
            return embeddings

    def forget_pieces(self) -> None:
        self.cached = None

    def get_batch_samples(self, *args: Any, **options: Any) -> Any:
        """Return the batches of a step and the number of items for the mean of their losses."""
        batches, items = super().get_batch_samples(*args, **options)
        self.step_batches, self.cached = batches, None
        if batches and "loss_weights" in batches[0]:
            items = torch.stack([items_in(batch) for batch in batches]).sum().to(self.args.device)
            if self.args.world_size > 1:
                items = self.accelerator.gather(items).sum()
        return batches, items

    def _loss(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        if self.piece is not None:
            return self.piece.backward_loss(outputs[EMBEDDING])
        return self.task.loss(outputs, self.batch, num_items_in_batch)

    def floating_point_ops(self, inputs: Any) -> int:
        """Return 0: transformers would iterate over all parameters at every step."""
        return 0

    def evaluation_loop(
        self, dataloader: Any, description: str, *args: Any, metric_key_prefix: str = "eval", **options: Any
    ) -> EvalLoopOutput:
        assert self.validation is not None
        predicted = evaluation.predict(
            self.model, self.task, self.validation, self.processing_class, scores_only=True,
            decoding=self.recipe.decoding, batch_size=self.args.eval_batch_size, description="Evaluating",
        )  # fmt: skip
        values = evaluation.numbers(evaluation.scores(self.task, predicted, self.validation.examples, self.train_stats))
        values["score"] = next(value for name, value in values.items() if name not in ("n", "loss"))
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in values.items()}
        return EvalLoopOutput(predicted.predictions, None, metrics, len(self.validation.examples))

    def tuned(self) -> Recipe:
        """Return the recipe with the task's thresholds and temperature tuned on the validation split."""
        calibrate = self.task.postprocessor().calibrate
        if self.validation is None or calibrate is None:
            return self.recipe
        outputs, _ = evaluation.outputs(self.model, self.task, self.validation, self.processing_class)
        task = calibrate(outputs, self.validation)
        for name, value in task:
            if value != dict(self.task)[name]:
                say(f"  tuned      {name}: {_shortly(value)}")
        return self.recipe.model_copy(update={"task": task})


def _shortly(value: float | dict[str, float]) -> str:
    match value:
        case dict():
            return f"{min(value.values()):.4f} to {max(value.values()):.4f}, one for each of {len(value)} labels"
        case _:
            return f"{value:.4f}"
