"""The base of schemes: a few numbers that, with a tensor's geometry, resolve to a law."""

from dataclasses import MISSING, fields
from typing import Annotated, Any, ClassVar, Literal, Protocol

from annotated_types import Ge, Gt
from pydantic import AfterValidator

from service.catalogue.distributions import Distribution
from service.errors import SchemeError
from service.numerics.fans import Geometry, Nonlinearity, gain_squared

_PLUS_ZERO = AfterValidator(lambda value: value + 0.0)

Number = Annotated[float, _PLUS_ZERO]
"""A finite float64; -0 becomes 0."""

Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0), _PLUS_ZERO]

NamedGain = Literal["linear", "conv", "sigmoid", "tanh", "relu", "selu"]
"""Nonlinearities whose gain has no parameter."""


class Scheme(Protocol):
    """A frozen dataclass whose fields are the scheme's parameters, with their defaults.

    Its docstring's first line describes it, ``formula`` is its rule, ``source`` the publication.
    """

    formula: ClassVar[str]
    source: ClassVar[str]

    @property
    def scheme(self) -> str:
        """The scheme's name in a recipe."""

    def resolve(self, geometry: Geometry) -> Distribution:
        """Return the law for a tensor.

        Raises:
            SchemeError: The parameters contradict each other, or do not fit this tensor.
        """


def canonical(scheme: Any) -> dict[str, Any]:
    """Return a scheme as an object of a recipe: its name and its parameters that are not defaults.

    Args:
        scheme: A frozen dataclass with a field ``scheme``.
    """
    parameters = {
        field.name: getattr(scheme, field.name)
        for field in fields(scheme)
        if field.name != "scheme"
        and (field.default is MISSING or getattr(scheme, field.name) != field.default)
    }
    return {"scheme": scheme.scheme, **parameters}


def squared(gain: float | NamedGain) -> float:
    """Return a gain's square: exact for a named one, ``gain * gain`` for a number.

    >>> squared("relu"), squared(3.0)
    (2.0, 9.0)
    """
    return gain_squared(gain) if isinstance(gain, str) else gain * gain


def squared_for(nonlinearity: Nonlinearity, negative_slope: float) -> float:
    """Return the squared gain of a nonlinearity.

    Raises:
        SchemeError: A slope was given to a nonlinearity that has none.
    """
    if negative_slope != 0.0 and nonlinearity != "leaky_relu":
        raise SchemeError(
            f"negative_slope belongs to leaky_relu and {nonlinearity} has none: leave it out"
        )
    return gain_squared(nonlinearity, negative_slope)


def require_order(low: float, high: float) -> None:
    """Check that an interval is one.

    Raises:
        SchemeError: ``low`` is not below ``high``.
    """
    if not low < high:
        raise SchemeError(f"low must be below high, and {low!r} is not below {high!r}")
