"""Loading a checkpoint: from the Hub, a folder, or an installed package; never with remote code."""

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from hf_tasks.core.checkpoint_paths import quiet_transformers, resolve_checkpoint
from hf_tasks.core.errors import RecipeError, RunError
from hf_tasks.models import from_scratch, masked_lm, subwords
from hf_tasks.models.fewer_layers import keep_layers
from hf_tasks.models.layers import note_pretrained, try_out
from hf_tasks.models.long_inputs import prepare_long_inputs
from hf_tasks.models.section import Model, Subwords
from hf_tasks.models.strange_files import check_config, check_weights
from hf_tasks.tasks import Task
from hf_tasks.tasks.text2text.languages import knows_languages, set_first_token, set_languages
from hf_tasks.tasks.types import max_input_length

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MASKED_LM = "AutoModelForMaskedLM"


def load_tokenizer(model: Model, task: Task, train: "Dataset | None" = None) -> "PreTrainedTokenizerBase":
    """The checkpoint's tokenizer; where it has no padding token, its end-of-text token pads. A model from scratch has
    one that is trained on the texts of the `train` examples.

    It returns token_type_ids for every model that has segment embeddings; ALBERT's class leaves them out.
    """
    from transformers import AutoConfig, AutoTokenizer

    if model.config is not None:
        assert train is not None and task.model_spec.tokenizer_texts is not None
        section, texts = model.tokenizer or Subwords(), task.model_spec.tokenizer_texts(train)
        if task.model_spec.auto_class != MASKED_LM:
            return subwords.sequence_tokenizer(section, texts)
        return subwords.encoder_tokenizer(section, texts, segments=from_scratch.has_segments(model.config))
    place = resolve_checkpoint(model.name_or_path)
    options: dict[str, Any] = {"revision": model.revision, "trust_remote_code": False}
    with _explained(model):
        config = AutoConfig.from_pretrained(place, **options)
        check_config(config.to_dict() | {"attn_implementation": config._attn_implementation})
        if config.to_dict().get("type_vocab_size", 0) > 1:
            options |= {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}
        tokenizer = AutoTokenizer.from_pretrained(place, **options, **task.model_spec.tokenizer_options)
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise RunError(
            f"model.name_or_path: {model.name_or_path}: its tokenizer has an empty vocabulary; add its tokenizer files"
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if task.model_spec.languages and knows_languages(tokenizer):
        set_languages(tokenizer, *task.model_spec.languages)
    return tokenizer


def load_model(
    model: Model, task: Task, tokenizer: "PreTrainedTokenizerBase", *, trained: bool = False
) -> "PreTrainedModel":
    """The checkpoint under the task's head, in float32; the head is new unless the checkpoint has one that fits.

    `trained`: it must have the head. Also lowers `tokenizer.model_max_length` to what the model can read. Raises
    RunError where weights are missing: such a checkpoint is not of the kind its configuration says; and where the model
    cannot be computed from the tokens of a text.
    """
    import transformers

    if model.is_new:
        with _explained(model), quiet_transformers():
            return _limited(_new(model, task, tokenizer), tokenizer, task)
    _check_architecture(model, task)
    loaded, absent = _from_pretrained(getattr(transformers, task.model_spec.auto_class), model, task.model_spec.config)
    _check_complete(model, loaded, absent, trained)
    if model.num_hidden_layers:
        keep_layers(loaded, model.num_hidden_layers)
    note_pretrained(loaded, absent)
    if task.model_spec.auto_class == MASKED_LM:
        masked_lm.select_masked(loaded)
        masked_lm.note_head(loaded, absent)
        if masked_lm.lacks_pooler(loaded):
            masked_lm.keep_pooler(loaded, partial(_from_pretrained, transformers.AutoModel, model, {}))
    loaded.config.pad_token_id = tokenizer.pad_token_id
    if task.model_spec.languages and knows_languages(tokenizer):
        set_first_token(loaded, tokenizer)
    loaded = _limited(loaded, tokenizer, task)
    if not trained:
        try_out(loaded)
    return loaded


def _from_pretrained(auto: Any, model: Model, config: dict[str, Any]) -> "tuple[PreTrainedModel, set[str]]":
    """(the model of the class `auto`, its weights that are not in the checkpoint)."""
    import torch

    with _explained(model), quiet_transformers():
        check_weights(resolve_checkpoint(model.name_or_path))
        loaded, info = auto.from_pretrained(
            resolve_checkpoint(model.name_or_path),
            revision=model.revision,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **config,
        )
    return loaded, {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}


def outline(model: Model, task: Task) -> "PreTrainedModel":
    """The checkpoint's modules under the task's head without their weights, from its configuration alone."""
    import torch
    import transformers

    with _explained(model), quiet_transformers(), torch.device("meta"):
        config = transformers.AutoConfig.from_pretrained(
            resolve_checkpoint(model.name_or_path),
            revision=model.revision,
            trust_remote_code=False,
            **task.model_spec.config,
        )
        built: PreTrainedModel = getattr(transformers, task.model_spec.auto_class).from_config(config)
    return built


def _check_architecture(model: Model, task: Task) -> None:
    """RecipeError where a task that generates text gets a checkpoint that cannot, such as BERT, or one that fills masks
    an encoder-decoder or a decoder. RunError where the checkpoint has no readable config."""
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as ENCODERS
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES as GENERATORS

    if task.model_spec.auto_class not in ("AutoModelForSeq2SeqLM", MASKED_LM):
        return
    with _explained(model), quiet_transformers():
        place = resolve_checkpoint(model.name_or_path)
        kind = AutoConfig.from_pretrained(place, revision=model.revision, trust_remote_code=False).model_type
    if task.model_spec.auto_class == MASKED_LM:
        if kind not in ENCODERS or kind in GENERATORS:
            raise RecipeError(
                f"model.name_or_path: {model.name_or_path} ({kind}) is not an encoder with a masked language model; "
                f"choose one such as distilbert/distilbert-base-uncased"
            )
    elif kind not in GENERATORS:
        raise RecipeError(
            f"model.name_or_path: {model.name_or_path} ({kind}) is not an encoder-decoder and cannot write texts for "
            f"{task.name}; choose one such as google-t5/t5-small, or add model.decoder_name_or_path"
        )


def _new(model: Model, task: Task, tokenizer: "PreTrainedTokenizerBase") -> "PreTrainedModel":
    if task.model_spec.auto_class == MASKED_LM:
        if model.config is None:
            raise RecipeError(f"model.decoder_name_or_path: {task.name} has no decoder; remove it")
        encoder = from_scratch.build_encoder(model.config, tokenizer)
        masked_lm.select_masked(encoder)
        return encoder
    if task.model_spec.auto_class == "AutoModelForCausalLM":
        if model.config is None:
            raise RecipeError(f"model.decoder_name_or_path: {task.name} has no encoder; give name_or_path alone")
        return from_scratch.build_decoder(model.config, tokenizer)
    if model.config is not None:
        return from_scratch.build(model.config, tokenizer)
    assert model.decoder_name_or_path is not None
    return from_scratch.warm_start(
        resolve_checkpoint(model.name_or_path), resolve_checkpoint(model.decoder_name_or_path), tokenizer
    )


def _limited(loaded: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", task: Task) -> "PreTrainedModel":
    tokenizer.model_max_length = min(tokenizer.model_max_length, longest_input(loaded))
    prepare_long_inputs(loaded, tokenizer, max_input_length(task.max_length, tokenizer))
    return loaded


def longest_input(model: Any) -> int:
    """Tokens that the model can read at once: the size of its table of positions; without one what the configuration
    says of rotary positions, beyond which a model would run on without an error; or no limit."""
    from torch import nn

    tables = [
        m
        for name, m in model.named_modules()
        if isinstance(m, nn.Embedding) and name.endswith(("position_embeddings", "wpe"))
    ]
    sizes = [m.num_embeddings - (0 if m.padding_idx is None else m.padding_idx + 1) for m in tables]
    if any(name.endswith("embed_positions") for name, _ in model.named_modules()):  # some of its rows are not positions
        config = model.config.to_dict()
        sizes.append(config.get("max_encoder_position_embeddings") or config["max_position_embeddings"])
    if not sizes and model.config.to_dict().get("rope_parameters"):
        sizes.append(model.config.max_position_embeddings)
    return min(sizes, default=1_000_000)


def _check_complete(model: Model, loaded: "PreTrainedModel", absent: set[str], trained: bool) -> None:
    """RunError where weights below the head are not in the checkpoint, or not in the configured size; in the head too
    where the checkpoint was `trained` for this task."""
    prefix = "" if loaded.base_model is loaded else f"{loaded.base_model_prefix}."
    lost = sorted(key for key in absent if trained or (key.startswith(prefix) and "pooler." not in key))
    if lost and trained:
        raise RunError(
            f"{model.name_or_path}: the checkpoint lacks {lost[0]}, or has it in another size, so it is not a model "
            "that was trained for this task; train it"
        )
    if lost:
        raise RunError(
            f"model.name_or_path: {model.name_or_path}: {len(lost)} weights of the encoder are not in the checkpoint, "
            f"or not in the size that config.json gives (the first is {lost[0]}); it is not a "
            f"{loaded.config.model_type} checkpoint, or it is damaged"
        )


@contextlib.contextmanager
def _explained(model: Model) -> Iterator[None]:
    """transformers' errors about a checkpoint that cannot be had, as one line."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, SafetensorError) as e:
        first = str(e).strip().splitlines()[0].rstrip(".") if str(e).strip() else type(e).__name__
        raise RunError(
            f"model.name_or_path: {model.name_or_path} cannot be loaded: {first}; give a Hub id that this machine can "
            f"reach or has cached, a folder with config.json and model.safetensors, or package:NAME"
        ) from e
