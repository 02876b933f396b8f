"""Giving up a training that is behind the others."""

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

if TYPE_CHECKING:
    from optuna import Trial


class Pruning(TrainerCallback):  # type: ignore[misc]
    """Tells the study the score of every evaluation, and ends the training where the study's pruner says so."""

    def __init__(self, trial: "Trial", metric: str) -> None:
        self.trial, self.metric = trial, metric
        self.told = set(trial.study.trials[trial.number].intermediate_values)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Raises optuna.TrialPruned. Scores are compared at the same thousandth of an epoch."""
        from optuna import TrialPruned

        step = round(1000 * (state.epoch or 0))
        if step not in self.told:
            self.trial.report(float(kwargs["metrics"][f"eval_{self.metric}"]), step)
        if self.trial.should_prune():
            raise TrialPruned(f"behind the others after epoch {state.epoch:.2g}")
