"""The `card` section of a recipe: what the model card says and no file can tell."""

import re
from typing import Annotated

from pydantic import Field, field_validator

from hf_tasks.block import Block

HubId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[\w.-]+)?$", max_length=96)]
Language = Annotated[str, Field(pattern=r"^([a-z]{2,3}(-[A-Za-z]+)?|multilingual|code)$")]
TEMPLATE = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*\.jinja")


class Card(Block):
    language: Language | tuple[Language, ...] | None = None
    """Of the texts: ISO 639 codes (`en`), or `multilingual`."""
    license: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9.-]*$")
    """Of the trained model, by the Hub's identifier (`apache-2.0`); where not given, that of the base model."""
    base_model: HubId | None = None
    """The Hub id of the base model, where `model.name_or_path` is a folder or a package."""
    datasets: tuple[HubId, ...] = ()
    """The Hub ids of the data sets that the files come from."""
    data_name: str | None = None
    """What people call the data, e.g. "SQuAD v1.1, a sample"."""
    data_license: str | None = None
    """Of the data, in words."""
    citation: str | None = None
    """BibTeX of the data."""
    intended_use: str | None = None
    """Whom and what the model is for."""
    limits: str | None = None
    """What the model should not be used for, what it is known to get wrong."""
    samples: int = Field(3, ge=0, le=20)
    """Training examples that the card shows."""
    watts: float | None = Field(None, gt=0)
    """Power that the machine drew in training, where it was measured; otherwise it is assumed."""
    template: str | None = None
    """A Jinja template of one's own, beside the recipe or below its folder, whose name ends in .jinja; it may extend
    `card.md.jinja`."""

    @field_validator("template")
    @classmethod
    def _is_beside(cls, template: str | None) -> str | None:
        if template and not TEMPLATE.fullmatch(template):
            raise ValueError("name a file beside the recipe, or in a folder there, that ends in .jinja")
        return template

    @property
    def languages(self) -> tuple[str, ...]:
        return (self.language,) if isinstance(self.language, str) else self.language or ()
