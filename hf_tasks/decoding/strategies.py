"""The `decoding` section of a recipe, one class for each strategy.

A strategy is a GenerationConfig of transformers, and a rule that chooses among the texts that it gives for a prompt.
Of the checkpoint's own generation_config.json only the ids of special tokens count (see `special_tokens`).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from hf_tasks.core.section import Section, did_you_mean
from hf_tasks.decoding.mbr import Choice, mbr, mbr_aggregate, mbr_pruned
from hf_tasks.decoding.utilities import UTILITIES, Utility

if TYPE_CHECKING:
    from transformers import GenerationConfig

MARGIN = 32
"""Tokens that an output may be longer than the longest target of the task."""
EMBEDDING = "embedding"
SAMPLING = ("temperature", "top_k", "top_p", "epsilon_cutoff")


def special_tokens(checkpoint: "GenerationConfig") -> "GenerationConfig":
    """What decoding takes from a checkpoint's configuration: the ids of its special tokens, forced ones included, and
    that it does not write its padding where the checkpoint says so (`bad_words_ids` of Marian)."""
    from transformers import GenerationConfig

    ids = {name: value for name, value in checkpoint.to_dict().items() if name.endswith("_token_id")}
    padding = [checkpoint.pad_token_id]
    banned = [padding] if padding in (checkpoint.bad_words_ids or []) else None
    return GenerationConfig(**ids, bad_words_ids=banned)


class Decoding(Section, ABC):
    name: str
    max_new_tokens: int | None = Field(None, ge=1)
    """The longest output in tokens; the task's max_target_length and 32 more where not given."""
    min_new_tokens: int = Field(0, ge=0)
    """The shortest."""
    no_repeat_ngram_size: int = Field(0, ge=0)
    """No n-gram of this size occurs twice in an output; 0: any may."""

    @property
    def sequences(self) -> int:
        """Sequences that are followed at once for each prompt."""
        return 1

    @property
    def outputs(self) -> int:
        """Sequences that are returned for each prompt."""
        return 1

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """The strategy's own keys of GenerationConfig."""

    def generation_config(self) -> "GenerationConfig":
        """The GenerationConfig for `model.generate`; `max_new_tokens` must be set (see `limited`)."""
        from transformers import GenerationConfig

        assert self.max_new_tokens is not None
        keys = {"max_new_tokens", "no_repeat_ngram_size"} | ({"min_new_tokens"} if self.min_new_tokens else set())
        return GenerationConfig(**self.model_dump(include=keys), num_return_sequences=self.outputs, **self.options())

    def saved_config(self, model: Any) -> "GenerationConfig":
        """The equivalent GenerationConfig for a plain `model.generate` with a saved run; one text for each prompt."""
        config = special_tokens(model.generation_config)
        config.update(**self.generation_config().to_diff_dict() | {"num_return_sequences": 1})
        return config

    def select(self, candidates: list[str], log_probabilities: Sequence[float]) -> tuple[int, dict[str, Any]]:
        """(the index of the chosen candidate, further values of the prediction)."""
        return 0, {}

    def limited(self, max_target_length: int, longest: int) -> "Decoding":
        """With the length of outputs filled in; `longest`: what the model can write. Raises ValueError."""
        if self.max_new_tokens is None:
            return self.model_copy(update={"max_new_tokens": min(max_target_length + MARGIN, longest)})
        if self.max_new_tokens > longest:
            raise ValueError(f"max_new_tokens: the model can write {longest} tokens; found {self.max_new_tokens}")
        return self


class Greedy(Decoding):
    """The likeliest token, each time."""

    name: Literal["greedy"]

    def options(self) -> dict[str, Any]:
        return {"do_sample": False, "num_beams": 1}


class Beam(Decoding):
    """The likeliest text among those that stay on a beam."""

    name: Literal["beam"]
    num_beams: int = Field(4, ge=2)
    """Hypotheses that are followed."""
    length_penalty: float = 1.0
    """Exponent of the length that a hypothesis' log-probability is divided by: above 0, longer texts gain."""
    early_stopping: bool = False
    """Stop when there are num_beams finished hypotheses, though a better one may follow."""

    @property
    def sequences(self) -> int:
        return self.num_beams

    def options(self) -> dict[str, Any]:
        keys = {"num_beams", "length_penalty", "early_stopping"}
        return {"do_sample": False} | self.model_dump(include=keys)


class Sampling(Decoding):
    """Options of all strategies that sample tokens."""

    temperature: float = Field(1.0, gt=0)
    """Divides the logits: below 1, likely tokens become likelier."""
    top_k: int = Field(0, ge=0)
    """Draw among this many of the likeliest tokens (Fan et al. 2018, https://aclanthology.org/P18-1082); 0: all."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Among the likeliest tokens that have this probability together (Holtzman et al. 2020,
    https://openreview.net/forum?id=rygGQyrFvH)."""
    epsilon_cutoff: float = Field(0.0, ge=0, lt=1)
    """Among the tokens that are at least as probable as this (Hewitt et al. 2022,
    https://aclanthology.org/2022.findings-emnlp.249)."""
    seed: int = Field(0, ge=0)
    """Samples depend on it and on the index of the prompt, not on the batch size."""

    def options(self) -> dict[str, Any]:
        return {"do_sample": True, "num_beams": 1} | self.model_dump(include=set(SAMPLING))


class Sample(Sampling):
    """One text, drawn from the model."""

    name: Literal["sample"]


class MBR(Sampling):
    """Of many samples, the one that is best on average if each of them may be right: minimum Bayes risk.

    Eikema and Aziz 2020 (https://aclanthology.org/2020.coling-main.398). Costs as much as num_samples outputs.
    """

    name: Literal["mbr"]
    num_samples: int = Field(32, ge=2)
    """Candidates."""
    num_references: int | None = Field(None, ge=1)
    """Further samples as pseudo-references; the candidates themselves where not given."""
    utility: str = "chrf"
    """The similarity of two texts: chrf, chrf++, bleu, rouge1, rouge2, rougeL, token_f1 or embedding."""
    utility_model: str | None = None
    """Of utility: embedding, the encoder: a Hub model id, a folder, or `package:NAME`."""
    prune: bool = False
    """Give up unlikely candidates early (Cheng and Vlachos 2023, https://aclanthology.org/2023.emnlp-main.767)."""
    aggregate: bool = False
    """Compare with an average of the pseudo-references (Vamvas and Sennrich 2024,
    https://aclanthology.org/2024.acl-short.71); chrf only."""
    weights: Literal["uniform", "model"] = "uniform"
    """How probable the pseudo-references are: all the same, as unbiased samples are, or as the model says."""

    keep_candidates: bool = False
    """Write the candidates and their expected utilities with each prediction, for `hf-tasks mbr`."""

    @model_validator(mode="after")
    def _known(self) -> "MBR":
        if self.utility not in (known := [*UTILITIES, EMBEDDING]):
            guess = did_you_mean(self.utility, known)
            raise ValueError(f'there is no utility "{self.utility}"{guess} (one of: {", ".join(known)})')
        if self.utility == EMBEDDING and not self.utility_model:
            raise ValueError("utility: embedding needs utility_model: an encoder, e.g. a Hub model id")
        if self.utility != EMBEDDING and self.utility_model:
            raise ValueError("utility_model goes with utility: embedding; remove one of them")
        if self.aggregate and self.utility != "chrf":
            raise ValueError("aggregate goes with utility: chrf; remove one of them")
        if self.prune and (self.aggregate or self.weights == "model"):
            raise ValueError("prune goes neither with aggregate nor with weights: model; remove one of them")
        return self

    @property
    def sequences(self) -> int:
        return self.outputs

    @property
    def outputs(self) -> int:
        return self.num_samples + (self.num_references or 0)

    def select(self, candidates: list[str], log_probabilities: Sequence[float]) -> tuple[int, dict[str, Any]]:
        separate = slice(self.num_samples, None) if self.num_references else slice(None)
        weights = list(log_probabilities[separate]) if self.weights == "model" else None
        choice = self._choose(candidates[: self.num_samples], candidates[separate], weights)
        facts: dict[str, Any] = {"expected_utility": float(choice.expected[choice.index])}
        kept = {"candidates": candidates[: self.num_samples], "expected_utilities": choice.expected.tolist()}
        return choice.index, facts | (kept if self.keep_candidates else {})

    def _choose(self, candidates: list[str], references: list[str], weights: list[float] | None) -> Choice:
        if self.aggregate:
            return mbr_aggregate(candidates, references, weights)
        if self.prune:
            return mbr_pruned(candidates, self.utility_of_pairs(), references, seed=self.seed)
        return mbr(candidates, self.utility_of_pairs(), references, weights)

    def utility_of_pairs(self) -> Utility:
        """The function that `utility` names."""
        if self.utility_model is None:
            return UTILITIES[self.utility]
        from hf_tasks.decoding.bertscore import embedding

        return embedding(self.utility_model)


AnyDecoding = Annotated[Greedy | Beam | Sample | MBR, Field(discriminator="name")]

__all__ = ["MBR", "AnyDecoding", "Beam", "Decoding", "Greedy", "Sample", "Sampling", "special_tokens"]
