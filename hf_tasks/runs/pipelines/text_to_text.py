"""Summarization, translation and other text to text with the arguments and return values of transformers 4's pipelines.

>>> translate = pipeline("translation_en_to_de", model="google-t5/t5-small")
>>> translate("How old are you?", max_new_tokens=20)
[{"translation_text": "Wie alt sind Sie?"}]
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hf_tasks.core.errors import DataError
from hf_tasks.models.load import longest_input
from hf_tasks.runs.pipelines.arguments import check_names, in_chunks
from hf_tasks.runs.pipelines.checkpoint import Checkpoint
from hf_tasks.tasks import TextToText
from hf_tasks.tasks.text2text.languages import knows_languages, set_first_token, set_languages

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import GenerationConfig

RETURN_NAMES = {"summarization": "summary", "translation": "translation", "text2text-generation": "generated"}
DEFAULTS = {"max_new_tokens": 256, "num_beams": 4}
"""Settings of generation where neither the checkpoint nor the call has any, as in transformers 4."""
LENGTHS = ({"max_length", "max_new_tokens"}, {"min_length", "min_new_tokens"})
"""Settings that replace each other."""
OWN = (
    "return_tensors", "return_text", "clean_up_tokenization_spaces", "truncation", "stop_sequence", "src_lang",
    "tgt_lang", "batch_size", "num_workers", "generation_config",
)  # fmt: skip
OF_GENERATE = ("logits_processor", "stopping_criteria", "prefix_allowed_tokens_fn", "streamer")
"""Arguments of `generate` that are not settings."""
SEQUENCES = 64
"""Sequences that are followed at once: texts times beams."""


class TextToTextPipeline:
    """Generates texts; the keyword arguments of the constructor are defaults of those of a call.

    `task`: as given to `pipeline`, e.g. translation_en_to_de.
    """

    def __init__(self, task: str, checkpoint: Checkpoint, **defaults: Any) -> None:
        self.model, self.tokenizer, self.task = checkpoint.model, checkpoint.tokenizer, task
        self._return_name = RETURN_NAMES[task.partition("_")[0]]
        self.prefix, self._settings = _of_checkpoint(checkpoint, task)
        self._defaults = self._checked(defaults)

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Generate for one text or several: a list of {"summary_text"}, {"translation_text"} or {"generated_text"}.

        `inputs`: a string, a list of strings, or another iterable of strings, whose results are an iterator.
        `return_tensors`: token ids ("..._token_ids") instead of texts. `truncation`: cut what is longer than the model.
        `stop_sequence`: a text whose first token ends the output. `src_lang`, `tgt_lang`: codes of the tokenizer.
        `batch_size`: texts. All other arguments are those of `generate`: max_new_tokens, num_beams, do_sample,
        num_return_sequences, ... With several return sequences, each text has a list. Raises DataError.
        """
        options = self._defaults | self._checked(kwargs)
        match inputs:
            case str():
                return self._generated([inputs], options)[0]
            case list():
                found = self._generated(inputs, options)
                return [one[0] for one in found] if all(len(one) == 1 for one in found) else found
            case Iterable():
                return (one for chunk in in_chunks(inputs, SEQUENCES) for one in self._generated(chunk, options))
            case _:
                raise DataError(f"a string or a list of strings was expected; found {type(inputs).__name__}")

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options without those that are None. Raises DataError."""
        from transformers import GenerationConfig

        check_names(options, (*OWN, *OF_GENERATE, *GenerationConfig().to_dict()))
        return {name: value for name, value in options.items() if value is not None}

    def _generated(self, texts: Sequence[Any], options: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
        """The records of each text, one for each return sequence."""
        import torch

        for text in texts:
            if not isinstance(text, str):
                raise DataError(f"a text is not a string but {text!r}; give strings")
        self._set_languages(options)
        config = self._config(options)
        prompts = [self.prefix + text for text in texts]
        encoded = self.tokenizer(prompts, truncation=options.get("truncation", False), verbose=False)["input_ids"]
        self._check_lengths(encoded)
        order = sorted(range(len(texts)), key=lambda i: -len(encoded[i]))
        size = options.get("batch_size") or max(1, SEQUENCES // (config.num_beams or 1))
        records: list[list[dict[str, Any]]] = [[] for _ in texts]
        for begin in range(0, len(order), size):
            rows = order[begin : begin + size]
            with torch.inference_mode():
                sequences = self._sequences([encoded[i] for i in rows], config, options)
            for i, of_one in zip(rows, sequences, strict=True):
                records[i] = [self._record(ids, options) for ids in _trimmed(of_one, config)]
        return records

    def _check_lengths(self, encoded: Sequence[Sequence[int]]) -> None:
        """Raise DataError for a text that is longer than the model's table of positions."""
        limit, longest = longest_input(self.model), max(map(len, encoded), default=0)
        if longest > limit:
            raise DataError(f"a text has {longest} tokens, the model reads {limit}; shorten it, or add truncation=True")

    def _sequences(
        self, encoded: Sequence[Sequence[int]], config: "GenerationConfig", options: Mapping[str, Any]
    ) -> "Tensor":
        """(B, return sequences, T) the generated tokens of B texts."""
        batch = self.tokenizer.pad({"input_ids": list(encoded)}, padding_side="right", return_tensors="pt")
        others = {name: options[name] for name in OF_GENERATE if name in options}
        sequences = self.model.generate(
            **batch.to(self.model.device), generation_config=config, custom_generate=None if others else _loop(config),
            **others,
        )  # fmt: skip
        return sequences.view(len(encoded), -1, sequences.shape[-1])  # type: ignore[no-any-return]

    def _record(self, ids: "Tensor", options: Mapping[str, Any]) -> dict[str, Any]:
        if options.get("return_tensors"):
            return {f"{self._return_name}_token_ids": ids}
        clean_up = options.get("clean_up_tokenization_spaces", False)
        text = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=clean_up)
        return {f"{self._return_name}_text": text}

    def _set_languages(self, options: Mapping[str, Any]) -> None:
        """Set the languages of a multilingual model: those of the call, or else of the task's name."""
        source, target = options.get("src_lang"), options.get("tgt_lang")
        if not (source or target) and self.task.count("_") == 3:
            _, source, _, target = self.task.split("_")
        if source and target and knows_languages(self.tokenizer):
            set_languages(self.tokenizer, source, target)
            set_first_token(self.model, self.tokenizer)

    def _config(self, options: Mapping[str, Any]) -> "GenerationConfig":
        """The settings of generation: the call's or constructor's, else the checkpoint's, else the defaults."""
        from transformers import GenerationConfig

        of_call = {name: value for name, value in options.items() if name not in (*OWN, *OF_GENERATE)}
        checkpoint = _settings_in(self.model.generation_config)
        layers = [DEFAULTS, checkpoint, self._settings, of_call]
        if given := options.get("generation_config"):
            layers = [checkpoint, _settings_in(given), of_call]
        if stop := options.get("stop_sequence"):
            layers.append({"eos_token_id": self.tokenizer.encode(stop, add_special_tokens=False)[0]})
        settings: dict[str, Any] = {}
        for layer in layers:
            replaced = {name for pair in LENGTHS if pair & layer.keys() for name in pair}
            settings = {name: value for name, value in settings.items() if name not in replaced} | layer
        if settings.get("pad_token_id") is None:
            settings["pad_token_id"] = self.tokenizer.pad_token_id
        return GenerationConfig(**settings)


def _of_checkpoint(checkpoint: Checkpoint, task: str) -> tuple[str, dict[str, Any]]:
    """The prefix of texts and the settings of generation that a run, or the config of a checkpoint, has for a task."""
    if checkpoint.run is not None:
        recipe = checkpoint.run.recipe
        assert isinstance(recipe.task, TextToText) and recipe.decoding is not None
        return recipe.task.prefix, _settings_in(recipe.decoding.saved_config(checkpoint.model))
    config = checkpoint.model.config.to_dict()
    of_tasks = config.get("task_specific_params") or {}
    if task == "translation":  # the first pair of languages, as in transformers 4
        task = next((name for name in of_tasks if name.startswith(task)), task)
    settings = dict(of_tasks.get(task, {}))
    return settings.pop("prefix", config.get("prefix") or ""), settings


def _settings_in(config: "GenerationConfig") -> dict[str, Any]:
    settings: dict[str, Any] = config.to_diff_dict()
    return {name: value for name, value in settings.items() if name != "transformers_version"}


def _loop(config: "GenerationConfig") -> Any:
    """Our loop, whose finished texts leave the batch, for what it can search; None: transformers' own."""
    from transformers.generation.configuration_utils import GenerationMode

    from hf_tasks.decoding.loops import beam_search, one_path

    if (config.num_return_sequences or 1) > 1:
        return None
    match config.get_generation_mode():
        case GenerationMode.GREEDY_SEARCH:
            return one_path
        case GenerationMode.BEAM_SEARCH if config.early_stopping != "never":
            return beam_search
        case _:
            return None


def _trimmed(sequences: "Tensor", config: "GenerationConfig") -> "Tensor":
    """The sequences (R, T) of one text without the padding that other texts of its batch gave them."""
    written = (sequences != config.pad_token_id).nonzero()
    return sequences[:, : int(written[:, 1].max()) + 1] if len(written) else sequences[:, :1]
