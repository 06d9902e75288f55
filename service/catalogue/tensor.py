"""One tensor as a client, a layer or a model states it."""

import difflib
import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from service.catalogue.schemes import (
    ALIASES,
    FRAMEWORK_ALIASES,
    SCHEME_ALIASES,
    SCHEMES,
    UNMAPPED,
    AnyScheme,
)
from service.catalogue.schemes.scheme import canonical
from service.errors import truncate
from service.limits import MAX_DIMENSION
from service.numerics.fans import Fans

FloatDType = Literal["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"]
AnyDType = Literal["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I64"]


def _object_of(init: Any) -> Any:
    """Replace an alias by its object, and a scheme's other name by its own."""
    if isinstance(init, str):
        named = ALIASES.get(init) or FRAMEWORK_ALIASES.get(init)
        if named is None:
            raise _unknown_scheme(init, ALIASES)
        return named
    if not isinstance(init, dict):
        raise PydanticCustomError("init_type", "an init must be a name, or an object with a scheme")
    name = init.get("scheme")
    if not isinstance(name, str):
        raise PydanticCustomError("init_scheme", "an init object must name its scheme, as a string")
    name = SCHEME_ALIASES.get(name, name)
    named = ALIASES.get(name) or FRAMEWORK_ALIASES.get(name)
    if name not in SCHEMES and named is not None:
        raise PydanticCustomError(
            "alias_as_scheme",
            '{name} is short for {object}: write "init": "{name}", or that object',
            {"name": name, "object": json.dumps(named)},
        )
    if name not in SCHEMES:
        raise _unknown_scheme(name, SCHEMES)
    return {**init, "scheme": name}


def _unknown_scheme(name: str, known: Iterable[str]) -> PydanticCustomError:
    if name in UNMAPPED:
        why = {"name": name, "why": UNMAPPED[name]}
        return PydanticCustomError("unknown_scheme", "{name} has no scheme here: {why}", why)
    framework = name.partition(".")[0]
    own_names = [other for other in FRAMEWORK_ALIASES if other.startswith(f"{framework}.")]
    close = difflib.get_close_matches(name[:100], own_names or known, n=1)
    return PydanticCustomError(
        "unknown_scheme",
        "no scheme is called {name}{hint}; valid are {known}, and every framework's own names",
        {
            "name": truncate(name),
            "hint": f": did you mean {close[0]}?" if close else "",
            "known": ", ".join(sorted(known)),
        },
    )


_OwnName = Literal[tuple(ALIASES)]  # type: ignore[valid-type]
_FrameworkName = Annotated[str, Field(pattern=r"^\w+\.[\w.]+$", examples=["keras.HeNormal"])]
_InitName = _OwnName | _FrameworkName
_InitObject = Annotated[AnyScheme, Field(discriminator="scheme")]

Init = Annotated[
    _InitObject,
    BeforeValidator(_object_of, json_schema_input_type=_InitName | _InitObject),
    PlainSerializer(canonical),
]
Dimension = Annotated[int, Field(ge=0, le=MAX_DIMENSION)]


class Strict(BaseModel):
    """An object of the wire language: no unknown members, no conversions."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, serialize_by_alias=True
    )


class StatedFan(Strict):
    """Explicit fans, in connections per unit; they win over shape and layout."""

    fan_in: Dimension = Field(alias="in", description="inputs that one output sums over")
    fan_out: Dimension = Field(alias="out", description="outputs that one input reaches")

    def fans(self) -> Fans:
        """Return them as `Fans`."""
        return Fans(self.fan_in, self.fan_out)


class Part(Strict):
    """One stretch of the axis that ``parts`` divides, with its own init and fans."""

    size: Dimension = Field(description="length along the axis")
    init: Init | None = Field(None, description="default: the tensor's, then the recipe's")
    fan: StatedFan | None = Field(None, description="default: the tensor's, then the part's shape")


class Parts(Strict):
    """A tensor divided along one axis: packed qkv, gates, a padding row."""

    axis: Annotated[int, Field(ge=0)] = Field(description="the axis that is divided")
    of: tuple[Part, ...] = Field(
        fail_fast=True,
        description="the parts in order, at least one; their sizes sum to the dimension",
    )


class Draw(Strict):
    """The drawn tensor of which a tensor is a view, for the same weights in another layout."""

    name: str = Field(description="the tensor whose random stream is used")
    layout: Annotated[str, Field(pattern="^[A-Z]*$")] | None = Field(
        None, description="the axes in the order that numbers the elements; default: the tensor's"
    )


class Tensor(Strict):
    """One tensor of the file."""

    name: str = Field(description="its name in the file, which also selects its random stream")
    shape: tuple[Dimension, ...] = Field(fail_fast=True, description="the full tensor's dimensions")
    dtype: AnyDType | None = Field(None, description="default: the recipe's; I64 for constants")
    init: Init | None = Field(None, description="default: the recipe's")
    layout: Annotated[str, Field(pattern="^[A-Z]*$")] | None = Field(
        None, description="a letter for each axis: O out, I in, B batch, any other receptive field"
    )
    fan: StatedFan | None = Field(None, description="explicit fans")
    parts: Parts | None = Field(None, description="several inits along one axis")
    draw: Draw | None = Field(None, description="the random stream and the order of another tensor")
    slice: (
        Annotated[tuple[tuple[Dimension, Dimension] | None, ...], Field(fail_fast=True)] | None
    ) = Field(
        None, description="[start, stop] or null for each axis: only that block of the tensor"
    )
