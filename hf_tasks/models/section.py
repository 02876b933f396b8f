"""The `model` section of a recipe: which checkpoint, and what of it is read."""

from typing import Any, Literal

from pydantic import Field, model_validator

from hf_tasks.core.section import Section


class Subwords(Section):
    """A tokenizer that is learned from the training texts, sources and targets together."""

    vocab_size: int = Field(8000, ge=300)
    """Subwords, with the special ones; fewer where the texts do not give as many."""
    kind: Literal["bpe", "unigram", "wordpiece"] = "bpe"
    """Byte pairs, which know every character; a unigram language model of subwords, as T5 and ALBERT have; or, for
    encoders, BERT's WordPiece."""
    lowercase: bool = False
    """For encoders: capitals and accents are removed, as in BERT's uncased models."""


class Model(Section):
    name_or_path: str = ""
    """A Hub model id, a folder, or `package:NAME`, the checkpoint that an installed Python package carries."""
    revision: str | None = None
    """The checkpoint's revision on the Hub: a commit, tag or branch."""
    decoder_name_or_path: str | None = Field(None, min_length=1)
    """For tasks whose model writes texts: a second encoder checkpoint, of the same tokenizer, that becomes the decoder
    (Rothe et al. 2020, https://aclanthology.org/2020.tacl-1.18)."""
    config: dict[str, Any] | None = None
    """In the place of a checkpoint: `model_type` and sizes, under transformers' own names; an encoder (bert, albert,
    distilbert, roberta, electra, modernbert ...) for fill-mask, a decoder (gpt2, llama ...) for text-generation, an
    encoder-decoder (marian, t5, bart ...) for other tasks whose model writes texts. The weights are random."""
    tokenizer: Subwords | None = None
    """The tokenizer of a model without a checkpoint."""
    num_hidden_layers: int | None = Field(None, ge=1)
    """Keep this many of the checkpoint's layers: every k-th, the last one among them (Sanh et al. 2019,
    https://arxiv.org/abs/1910.01108). Half of the layers take half of the time."""
    weighted_layers: bool = False
    """The head reads a learned mix of the embeddings and all layers, not the last layer alone (Peters et al. 2018,
    https://aclanthology.org/N18-1202); a decoder attends to the mix of its encoder's layers."""

    pooling: Literal["cls", "mean", "max"] | None = None
    """What the head of a text classification model reads of the last layer, or what is the embedding in sentence
    similarity: the first token, or the mean or maximum over all tokens, without the base model's pooler, as sentence
    encoders are trained (Reimers and Gurevych 2019, https://aclanthology.org/D19-1410). By default the first token for
    classification and the mean for similarity."""

    @model_validator(mode="after")
    def _one_origin(self) -> "Model":
        if not self.name_or_path and self.config is None:
            raise ValueError("name_or_path is missing; name a checkpoint, or give config for a model from scratch")
        if self.name_or_path and (self.config is not None or self.tokenizer):
            raise ValueError("a checkpoint has its config and tokenizer; keep name_or_path alone, or remove it")
        if self.is_new and self.num_hidden_layers:
            raise ValueError("num_hidden_layers chooses among the layers of one checkpoint; remove it")
        if self.config is not None and (self.decoder_name_or_path or self.revision):
            raise ValueError("revision and decoder_name_or_path belong to a checkpoint; remove them, or config")
        return self

    @property
    def is_new(self) -> bool:
        """Whether there is no checkpoint that could be loaded again as it is."""
        return self.config is not None or self.decoder_name_or_path is not None

    @property
    def is_plain(self) -> bool:
        """Whether the model computes what transformers makes of the same weights."""
        return not self.weighted_layers and self.pooling in (None, "cls")

    @property
    def title(self) -> str:
        """What people call it."""
        if self.config is not None:
            return f"{self.config.get('model_type')} from scratch"
        fewer = f" ({self.num_hidden_layers} layers)" if self.num_hidden_layers else ""
        return " + ".join(filter(None, (self.name_or_path, self.decoder_name_or_path))) + fewer
