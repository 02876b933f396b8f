"""Every type of PEFT (Mangrulkar et al. 2022, https://github.com/huggingface/peft) under its own name and keys: the
pretrained weights are frozen; a few new parameters and the head are trained.

>>> method: {name: lora, r: 8, lora_alpha: 16, target_modules: [query, value]}

By default `target_modules` are PEFT's choice for the architecture; where PEFT has none, every linear layer of the
blocks is adapted (for ln-tuning: every norm).
"""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Union

from pydantic import Field, create_model

from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.core.section import NO_SOURCE, did_you_mean
from hf_tasks.core.untrusted import read_json
from hf_tasks.methods.base import Method, Saved
from hf_tasks.methods.peft_types import peft_types
from hf_tasks.models.layers import Layers, block_lists, few_tokens, pretrained_layers
from hf_tasks.models.strange_files import check_adapter

if TYPE_CHECKING:
    from torch import nn
    from transformers import TrainerCallback

REFUSALS = (
    ValueError, TypeError, AttributeError, LookupError, RuntimeError, AssertionError, ImportError,
)  # fmt: skip
"""The exceptions that PEFT raises where it cannot do something."""
ANY_LENGTH = 1 << 30
"""Steps of a training whose length is not known yet."""


class PeftMethod(Method):
    """A type that adapts layers."""

    learning_rate: ClassVar[float] = 5e-4
    """LoRA's for RoBERTa on most GLUE tasks (Hu et al. 2021, https://arxiv.org/abs/2106.09685, table 9)."""
    saves: ClassVar[Saved] = "peft"
    also: ClassVar[dict[str, Any]] = {}
    """Keys of PEFT that the name implies."""
    peft_type: ClassVar[str]

    def clashes(self, training: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.given_keys().get("tfinal") and training.get("load_best_model_at_end") is not False:
            text = "the ranks of the end do not fit an earlier checkpoint; add training.load_best_model_at_end: false"
            yield ("tfinal",), text

    def prepare(self, model: "nn.Module") -> "nn.Module":
        import torch

        layers = pretrained_layers(model)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of optional CUDA extensions, and of its own deprecated calls
                adapted = self._adapted(model, layers)
                with torch.no_grad():
                    adapted(**few_tokens(adapted))
                return _aligned(adapted)
        except REFUSALS as e:
            raise RecipeError(
                f"method: PEFT cannot adapt {type(model).__name__} by {self.name}: {_line(e)}; "
                f"change the method's keys, or choose another method"
            ) from e

    def callbacks(self) -> list["TrainerCallback"]:
        from hf_tasks.methods.peft_schedule import Allocation

        return [Allocation()] if self.peft_type in ("ADALORA", "ADAMSS") else []

    def merge(self, model: "nn.Module") -> "nn.Module":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                merged: nn.Module = model.merge_and_unload()  # type: ignore[operator]
                return merged
            except REFUSALS as e:
                raise RunError(f"method.name: {self.name} cannot be merged into its base exactly: {_line(e)}") from e

    @property
    def named_targets(self) -> list[str]:
        """The names in `target_modules` where it is a list."""
        targets = self.given_keys().get("target_modules")
        return targets if isinstance(targets, list) else []

    def check_targets(self, outline: "nn.Module") -> None:
        """Raise RecipeError if `target_modules` names a module that the model, given without weights, does not have."""
        names = [name for name, _ in outline.named_modules()]
        for target in self.named_targets:
            if not any(name == target or name.endswith(f".{target}") for name in names):
                blocks = [block for several in block_lists(outline).values() for block in several]
                known = list(dict.fromkeys(name.rpartition(".")[2] for name in _targets(blocks, norms=False)))
                has = f"the model has no module {target!r}{did_you_mean(target, known)}"
                raise RecipeError(f"method.target_modules: {has} (its linear layers: {', '.join(known)})")

    # -- parts of prepare

    def _adapted(self, model: "nn.Module", layers: Layers) -> Any:
        import peft

        config = self._config(model, layers)
        try:
            return peft.get_peft_model(model, config)
        except ValueError:
            if "target_modules" not in self.keys() or config.target_modules is not None:
                raise
            blocks = [block for stack in layers.stacks for block in stack.blocks]
            config.target_modules = _targets(blocks, norms=self.peft_type == "LN_TUNING")
            if self.peft_type == "IA3" and config.feedforward_modules is None:
                config.feedforward_modules = []  # the outputs of all of them are scaled, the inputs of none
            return peft.get_peft_model(model, config)

    def _config(self, model: "nn.Module", layers: Layers) -> Any:
        """PEFT's configuration: the recipe's keys, and the head as it has to be trained and saved."""
        import peft

        values = {"peft_type": self.peft_type} | self.also | self.given_keys()
        if "modules_to_save" not in self.keys():
            raise ValueError("it cannot train the new head that the task needs")
        values["modules_to_save"] = sorted({*(values.get("modules_to_save") or ()), *self._head(model, layers)})
        if self.peft_type == "ADALORA":
            values.setdefault("total_step", ANY_LENGTH)  # Allocation sets it as training begins
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # of keys that mean nothing beside others
            try:
                return peft.get_peft_config(values)
            except UserWarning as e:
                raise ValueError(e) from None

    def _head(self, model: "nn.Module", layers: Layers) -> set[str]:
        """The modules that hold what trains of the head."""
        return {name.rpartition(".")[0] for name in layers.new}

    def effective(self) -> dict[str, Any]:
        """Every key with its value, given, ours or PEFT's default."""
        import peft

        kind = peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING[self.peft_type]
        defaults = {field.name: field.default for field in fields(kind) if field.name in self.keys()}
        theirs = {key: value for key, value in defaults.items() if value is not MISSING}
        return {"name": self.name} | theirs | self.also | self.given_keys()

    @classmethod
    def keys(cls) -> set[str]:
        """The keys of PEFT's configuration."""
        return cls.model_fields.keys() - {"name"}

    def given_keys(self) -> dict[str, Any]:
        """The recipe's keys of PEFT's configuration, with their values."""
        return {key: value for key, value in self.given().items() if key != "name"}


class PromptLearning(PeftMethod):
    """A type that puts learned vectors before the input, or before the keys and values of every layer."""

    learning_rate: ClassVar[float] = 5e-3
    """The least of those that Liu et al. 2022 search for classification (P-tuning v2,
    https://aclanthology.org/2022.acl-short.8)."""

    num_virtual_tokens: int = Field(20, ge=1)
    """Learned vectors before the input; 20 is where Lester et al. 2021 (https://aclanthology.org/2021.emnlp-main.243)
    see the gain of more fade."""

    @property
    def extra_tokens(self) -> int:
        return self.num_virtual_tokens

    def given_keys(self) -> dict[str, Any]:
        return super().given_keys() | {"num_virtual_tokens": self.num_virtual_tokens}

    def merge(self, model: "nn.Module") -> "nn.Module":
        raise RunError(f"method.name: no plain model computes what {self.name} has learned; use the run as it is")

    def _config(self, model: Any, layers: Layers) -> Any:
        config = super()._config(model, layers)
        config.task_type = _task_type(model)
        config.token_dim = config.token_dim or model.get_input_embeddings().embedding_dim
        config.num_layers = config.num_layers or model.config.num_hidden_layers
        config.num_attention_heads = config.num_attention_heads or model.config.num_attention_heads
        return config

    def _head(self, model: "nn.Module", layers: Layers) -> set[str]:
        """The outermost modules of what trains of the head: PEFT's own wrappers of a task name those too."""
        found: set[str] = set()
        for name, module in model.named_modules():
            inside = any(name.startswith(f"{outer}.") for outer in found)
            parameters = [f"{name}.{parameter}" for parameter, _ in module.named_parameters()]
            if name and not inside and parameters and set(parameters) <= set(layers.new):
                found.add(name)
        return found


def _aligned(adapted: Any) -> "nn.Module":
    """The outputs of every token without those of the learned tokens before them, which PEFT leaves in."""
    config = adapted.peft_config["default"]
    at_words = config.task_type in ("TOKEN_CLS", "QUESTION_ANS", "CAUSAL_LM")
    if at_words and config.peft_type not in ("PREFIX_TUNING", "CARTRIDGE"):
        adapted.register_forward_hook(_without_prompt)
    return adapted  # type: ignore[no-any-return]


def _without_prompt(adapted: Any, _: Any, outputs: Any) -> Any:
    learned = adapted.peft_config["default"].num_virtual_tokens
    for name in ("logits", "start_logits", "end_logits"):
        if name in outputs:
            outputs[name] = outputs[name][:, learned:]  # (B, V + L, ...) -> (B, L, ...)
    return outputs


def save_adapter(model: Any, path: Path, base: str, revision: str | None) -> None:
    """Write the adapter as PEFT does, with the name and the commit of its base, and the configuration of the adapted
    model, which has the labels; without PEFT's own card."""
    config = model.peft_config["default"]
    config.base_model_name_or_path, config.revision = base, revision
    for key, value in vars(config).items():
        if isinstance(value, set):  # PEFT would write it in another order in every process
            setattr(config, key, sorted(value))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(path)
    (path / "README.md").unlink()
    model.config.architectures = [type(model.get_base_model()).__name__]
    model.config.save_pretrained(path)


def load_adapter(model: "nn.Module", path: Path) -> "nn.Module":
    """The base model with the adapter that was saved in a directory. RunError where it does not fit."""
    import peft

    try:
        check_adapter(read_json(path / "adapter_config.json"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", "Found missing adapter keys")
            return _aligned(peft.PeftModel.from_pretrained(model, str(path)))
    except (*REFUSALS, OSError, UserWarning) as e:
        raise RunError(f"{path}: the adapter does not fit its base checkpoint: {_line(e)}; train it again") from e


def _line(error: BaseException) -> str:
    """The first line of a message."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return text.rstrip(".")


def _targets(blocks: Iterable["nn.Module"], *, norms: bool) -> list[str]:
    """The names within blocks of their linear layers, or of their norms: modules with nothing but vectors."""
    from torch import nn

    names: dict[str, None] = {}
    for block in blocks:
        for name, module in block.named_modules():
            own = list(module.parameters(recurse=False))
            if isinstance(module, nn.Linear) if not norms else own and all(p.ndim == 1 for p in own):
                names[name] = None
    return list(names)


def _task_type(model: "nn.Module") -> str:
    """PEFT's task type of a model, which its prompt learning needs. Raises ValueError where PEFT has none."""
    from transformers.models.auto import modeling_auto

    kinds = {
        "SEQ_CLS": modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
        "TOKEN_CLS": modeling_auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
        "QUESTION_ANS": modeling_auto.MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES,
        "SEQ_2_SEQ_LM": modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
        "CAUSAL_LM": modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    }
    for kind, classes in kinds.items():
        if type(model).__name__ in classes.values():
            return kind
    raise ValueError("it has no prompts for such a model")


def _classes() -> Iterator[type[PeftMethod]]:
    """One class for each name, with the keys of its type."""
    for name, kind in peft_types().items():
        yield _class(name, kind.value, kind.keys, PromptLearning if kind.learns_prompts else PeftMethod)
    lora = peft_types()["lora"]
    dora = _class("dora", lora.value, {key: t for key, t in lora.keys.items() if key != "use_dora"}, PeftMethod)
    dora.also = {"use_dora": True}  # Liu et al. 2024, https://arxiv.org/abs/2402.09353
    yield dora


def _class(name: str, value: str, keys: dict[str, Any], base: type[PeftMethod]) -> type[PeftMethod]:
    fields = {key: (kind, None) for key, kind in keys.items() if key not in base.model_fields}
    made: Any = create_model(  # type: ignore[call-overload]
        f"Peft_{name}", __base__=base, __doc__=f"PEFT's {value}.", __cls_kwargs__=NO_SOURCE,
        name=(Literal[name], ...), **fields,
    )  # fmt: skip
    made.peft_type = value
    return made


CLASSES = tuple(_classes())

if TYPE_CHECKING:
    AnyPeft = PeftMethod
else:
    AnyPeft = Union[CLASSES]  # noqa: UP007  (of as many as PEFT has)
