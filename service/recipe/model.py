"""The recipe as frozen pydantic models: what a client sends. The plan says what it means."""

import difflib
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import MISSING, fields
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import rfc8785
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from service.errors import shown
from service.limits import MAX_DIMENSION
from service.numerics.fans import Fans
from service.schemes import ALIASES, SCHEME_ALIASES, SCHEMES, AnyScheme, Scheme

FloatDType = Literal["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"]
AnyDType = Literal["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I64"]

_SEED_TEXT = re.compile(r"0|[1-9][0-9]{0,19}")


def _seed_from_text(seed: Any) -> Any:
    if isinstance(seed, str):
        if not _SEED_TEXT.fullmatch(seed):
            raise PydanticCustomError(
                "seed_text", "a seed in a string is its decimal digits: no sign, no leading zero"
            )
        return int(seed)
    return seed


def _object_of(init: Any) -> Any:
    """Replace an alias by the object that it stands for, and a scheme's other name by its own."""
    if isinstance(init, str):
        if init not in ALIASES:
            raise _unknown_scheme(init, ALIASES)
        return ALIASES[init]
    if not isinstance(init, dict):
        raise PydanticCustomError("init_type", "an init is a name or an object with a scheme")
    name = init.get("scheme")
    if not isinstance(name, str):
        raise PydanticCustomError("init_scheme", "an init object names its scheme as a string")
    name = SCHEME_ALIASES.get(name, name)
    if name not in SCHEMES and name in ALIASES:
        raise PydanticCustomError(
            "alias_as_scheme",
            '{name} is short for {object}: write "init": "{name}", or that object',
            {"name": name, "object": json.dumps(ALIASES[name])},
        )
    if name not in SCHEMES:
        raise _unknown_scheme(name, SCHEMES)
    return {**init, "scheme": name}


def _unknown_scheme(name: str, known: Iterable[str]) -> PydanticCustomError:
    close = difflib.get_close_matches(name[:100], known, n=1)
    return PydanticCustomError(
        "unknown_scheme",
        "no scheme is called {name}{hint}; valid are {known}",
        {
            "name": shown(name),
            "hint": f": did you mean {close[0]}?" if close else "",
            "known": ", ".join(sorted(known)),
        },
    )


def canonical_init(scheme: Scheme) -> dict[str, Any]:
    """Return a scheme as the object a recipe would hold: its name and what is not default.

    >>> canonical_init(SCHEMES["xavier"]())
    {'scheme': 'xavier'}
    """
    parameters = {
        field.name: getattr(scheme, field.name)
        for field in fields(scheme)  # type: ignore[arg-type]
        if field.name != "scheme"
        and (field.default is MISSING or getattr(scheme, field.name) != field.default)
    }
    return {"scheme": scheme.scheme, **parameters}


_SeedNumber = Annotated[int, Field(ge=0, lt=2**64)]
_SeedText = Annotated[str, Field(pattern=f"^({_SEED_TEXT.pattern})$")]
_InitName = Literal[tuple(ALIASES)]  # type: ignore[valid-type]
_InitObject = Annotated[AnyScheme, Field(discriminator="scheme")]

Seed = Annotated[
    _SeedNumber,
    BeforeValidator(_seed_from_text, json_schema_input_type=_SeedNumber | _SeedText),
    PlainSerializer(str),
]
Init = Annotated[
    _InitObject,
    BeforeValidator(_object_of, json_schema_input_type=_InitName | _InitObject),
    PlainSerializer(canonical_init),
]
Dimension = Annotated[int, Field(ge=0, le=MAX_DIMENSION)]


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, serialize_by_alias=True
    )


class StatedFan(_Strict):
    """Fans stated outright, in connections per unit; they win over shape and layout."""

    fan_in: Dimension = Field(alias="in", description="inputs that one output sums over")
    fan_out: Dimension = Field(alias="out", description="outputs that one input reaches")

    def fans(self) -> Fans:
        """Return them as numerics knows them."""
        return Fans(self.fan_in, self.fan_out)


class Part(_Strict):
    """One stretch of the axis that ``parts`` cuts, with its own init and fans."""

    size: Dimension = Field(description="length along the axis")
    init: Init | None = Field(None, description="default: the tensor's, then the recipe's")
    fan: StatedFan | None = Field(None, description="default: the tensor's, then the part's shape")


class Parts(_Strict):
    """A tensor cut along one axis: packed qkv, gates, a padding row."""

    axis: Annotated[int, Field(ge=0)] = Field(description="the axis that is cut")
    of: tuple[Part, ...] = Field(
        fail_fast=True,
        description="the parts in order, at least one; their sizes sum to the dimension",
    )


class Tensor(_Strict):
    """One tensor of the file."""

    name: str = Field(description="its name in the file, which also chooses its random stream")
    shape: tuple[Dimension, ...] = Field(fail_fast=True, description="the full tensor's dimensions")
    dtype: AnyDType | None = Field(None, description="default: the recipe's; I64 for constants")
    init: Init | None = Field(None, description="default: the recipe's")
    layout: Annotated[str, Field(pattern="^[A-Z]*$")] | None = Field(
        None, description="a letter an axis: O out, I in, B batch, any other receptive field"
    )
    fan: StatedFan | None = Field(None, description="fans stated outright")
    parts: Parts | None = Field(None, description="several inits along one axis")
    slice: (
        Annotated[tuple[tuple[Dimension, Dimension] | None, ...], Field(fail_fast=True)] | None
    ) = Field(None, description="[start, stop] or null an axis: only that block of the full tensor")


class Rule(_Strict):
    """A change to every tensor whose whole name matches; later rules win."""

    match: str = Field(description="a name in which * matches anything, dots too")
    init: Init | None = Field(None, description="replaces init and parts")
    dtype: FloatDType | None = Field(None, description="replaces dtype, I64 excepted")
    fan: StatedFan | None = Field(None, description="replaces the fans, of every part too")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.init is None and self.dtype is None and self.fan is None:
            raise PydanticCustomError("empty_rule", "a rule sets init, dtype or fan")
        return self


class Recipe(_Strict):
    """What to generate. The same recipe gives the same bytes, everywhere and always."""

    seed: Seed = Field(description="0 to 2^64 - 1, as an integer or as its decimal digits")
    dtype: FloatDType = Field("F32", description="of every tensor that names none")
    generator: Literal["v1"] = Field("v1", description="the bit contract, docs/generator-v1.md")
    init: Init | None = Field(None, description="of every tensor that names none")
    tensors: tuple[Tensor, ...] = Field(fail_fast=True, description="at least one, in any order")
    rules: tuple[Rule, ...] = Field(
        (), fail_fast=True, description="applied in order; the last match wins"
    )
    include: Annotated[tuple[str, ...], Field(fail_fast=True)] | None = Field(
        None, description="after the rules: only tensors that match one of these"
    )
    metadata: dict[str, str] = Field({}, description="strings for the file's __metadata__")

    @cached_property
    def canonical(self) -> bytes:
        """The RFC 8785 form: defaults left out, aliases as objects, the seed as a string."""
        return rfc8785.dumps(self.model_dump(mode="json", exclude_defaults=True))

    @cached_property
    def recipe_id(self) -> str:
        """Lower-case hexadecimal SHA-256 of the canonical form."""
        return hashlib.sha256(self.canonical).hexdigest()
