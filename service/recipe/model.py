"""The recipe as frozen pydantic models: what a client sends and the plan interprets."""

import hashlib
import re
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import rfc8785
from pydantic import BeforeValidator, Field, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from service.catalogue.layers import AnyLayer, Convention
from service.catalogue.model_schemes import AnyModelScheme
from service.catalogue.tensor import FloatDType, Init, StatedFan, Strict, Tensor

_SEED_TEXT = re.compile(r"0|[1-9][0-9]{0,19}")


def _seed_from_text(seed: Any) -> Any:
    if isinstance(seed, str):
        if not _SEED_TEXT.fullmatch(seed):
            raise PydanticCustomError(
                "seed_text",
                "a seed in a string must be decimal digits, with no sign and no leading zero",
            )
        return int(seed)
    return seed


_SeedNumber = Annotated[int, Field(ge=0, lt=2**64)]
_SeedText = Annotated[str, Field(pattern=f"^({_SEED_TEXT.pattern})$")]

Seed = Annotated[
    _SeedNumber,
    BeforeValidator(_seed_from_text, json_schema_input_type=_SeedNumber | _SeedText),
    PlainSerializer(str),
]


class Rule(Strict):
    """A change to every tensor whose whole name matches; later rules win."""

    match: str = Field(description="a name in which * matches any characters, including dots")
    init: Init | None = Field(None, description="replaces init and parts")
    dtype: FloatDType | None = Field(None, description="replaces dtype, except I64")
    fan: StatedFan | None = Field(None, description="replaces the fans, also of every part")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.init is None and self.dtype is None and self.fan is None:
            raise PydanticCustomError("empty_rule", "a rule must set init, dtype or fan")
        return self


class Recipe(Strict):
    """What to generate. The same recipe gives the same bytes, everywhere and always."""

    seed: Seed = Field(description="0 to 2^64 - 1, as an integer or as its decimal digits")
    dtype: FloatDType = Field("F32", description="for every tensor that states none")
    generator: Literal["v1"] = Field("v1", description="the bit contract, docs/generator-v1.md")
    init: Init | None = Field(
        None, description="for every tensor, and every layer's weight, that states none"
    )
    tensors: tuple[Tensor, ...] = Field((), fail_fast=True, description="tensors, in any order")
    convention: Convention = Field(
        "pytorch", description="whose names, layouts and default inits the layers have"
    )
    layers: tuple[AnyLayer, ...] = Field((), fail_fast=True, description="layers, by type")
    model: dict[str, Any] | None = Field(
        None, description='a Hugging Face config.json as it is, or {"preset": "gpt2"}'
    )
    model_scheme: AnyModelScheme | None = Field(
        None, description="a depth- or role-aware scheme over the model, or the layers"
    )
    draw_convention: Convention | None = Field(
        None, description="layers hold the same weights as this convention's layers would"
    )
    rules: tuple[Rule, ...] = Field(
        (), fail_fast=True, description="applied in order; the last match wins"
    )
    include: Annotated[tuple[str, ...], Field(fail_fast=True)] | None = Field(
        None, description="after the rules: only tensors that match one of these"
    )
    metadata: dict[str, str] = Field({}, description="strings for the file's __metadata__")

    def under(self, seed: int) -> "Recipe":
        """Return the same recipe with another seed."""
        members = {name: getattr(self, name) for name in type(self).model_fields}
        return Recipe.model_construct(**members | {"seed": seed})

    @cached_property
    def canonical(self) -> bytes:
        """The RFC 8785 form: defaults left out, aliases as objects, the seed as a string."""
        return rfc8785.dumps(self.model_dump(mode="json", exclude_defaults=True))

    @cached_property
    def recipe_id(self) -> str:
        """Lower-case hexadecimal SHA-256 of the canonical form."""
        return hashlib.sha256(self.canonical).hexdigest()
