"""Activations: their values, for the forward pass, and their slopes, for the backward pass.

Sources:
    Clevert et al. 2015 (elu): https://arxiv.org/abs/1511.07289
    Klambauer et al. 2017 (selu): https://arxiv.org/abs/1706.02515
    Hendrycks & Gimpel 2016 (gelu, with the exact normal distribution function, and silu):
    https://arxiv.org/abs/1606.08415
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from service.catalogue.tensor import Strict

Values = NDArray[np.float64]

ActivationName = Literal[
    "linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu"
]

LEAKY_SLOPE = 0.01
"""The default slope of leaky_relu below zero: that of torch.nn.LeakyReLU."""

_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_ALPHA = 1.6732632423543772848170429916717

_PIECE = 1 << 13
"""Number of error function values computed at once. Other threads can run between pieces."""

_erfc = np.frompyfunc(math.erfc, 1, 1)


class Response(NamedTuple):
    """The values and slopes of an activation at some points.

    Args:
        value: phi(z), float64, of the points' shape.
        slope: phi'(z), float64, of the points' shape; at a kink the slope from below.
    """

    value: Values
    slope: Values


class Activation(Strict):
    """An activation by its name, with its parameter if it has one."""

    name: ActivationName
    negative_slope: float | None = Field(
        None, ge=-1, le=1, description="leaky_relu's slope below zero; default 0.01"
    )

    @model_validator(mode="after")
    def _has_a_slope(self) -> Self:
        if self.negative_slope is not None and self.name != "leaky_relu":
            raise PydanticCustomError(
                "negative_slope",
                "negative_slope belongs to leaky_relu and {name} has none: leave it out",
                {"name": self.name},
            )
        return self

    @property
    def below(self) -> float | None:
        """The slope below zero of an activation that is linear on each side of zero; else None."""
        if self.name == "leaky_relu":
            return LEAKY_SLOPE if self.negative_slope is None else self.negative_slope
        return {"linear": 1.0, "relu": 0.0}.get(self.name)

    def at(self, z: Values) -> Response:
        """Return the values and slopes at the points ``z``."""
        return _RESPONSES[self.name](z, self.below or 0.0)


def _activation(given: Any) -> Any:
    return {"name": given} if isinstance(given, str) else given


StatedActivation = Annotated[
    Activation,
    BeforeValidator(_activation, json_schema_input_type=ActivationName | Activation),
]
"""An activation in a request: its name, or an object."""


def _leaky(z: Values, below: float) -> Response:
    slope = np.where(z > 0, 1.0, below)
    return Response(slope * z, slope)


def _sigmoid(z: Values, _: float) -> Response:
    s = _logistic(z)
    return Response(s, s * (1 - s))


def _logistic(z: Values) -> Values:
    small = np.exp(-np.abs(z))  # does not overflow, unlike exp(|z|)
    s: Values = np.where(z >= 0, 1.0, small) / (1 + small)
    return s


def _tanh(z: Values, _: float) -> Response:
    t = np.tanh(z)
    return Response(t, 1 - t * t)


def _elu(z: Values, _: float) -> Response:
    return _exponential(z, 1.0, 1.0)


def _selu(z: Values, _: float) -> Response:
    return _exponential(z, _SELU_SCALE, _SELU_ALPHA)


def _exponential(z: Values, scale: float, alpha: float) -> Response:
    below = np.minimum(z, 0.0)
    value = np.where(z > 0, z, alpha * np.expm1(below))
    return Response(scale * value, scale * np.where(z > 0, 1.0, alpha * np.exp(below)))


def _gelu(z: Values, _: float) -> Response:
    cumulative = 0.5 * _complement(-z * math.sqrt(0.5))
    density = np.exp(-0.5 * z * z) * (1 / math.sqrt(2 * math.pi))
    return Response(z * cumulative, cumulative + z * density)


def _complement(z: Values) -> Values:
    """Return 1 - erf(z), to full precision even if it is small."""
    out = np.empty(z.size)
    flat = z.reshape(-1)
    for at in range(0, z.size, _PIECE):
        out[at : at + _PIECE] = _erfc(flat[at : at + _PIECE])
    return out.reshape(z.shape)


def _silu(z: Values, _: float) -> Response:
    s = _logistic(z)
    return Response(z * s, s * (1 + z * (1 - s)))


_RESPONSES: dict[ActivationName, Callable[[Values, float], Response]] = {
    "linear": lambda z, _: Response(z, np.ones_like(z)),
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "relu": _leaky,
    "leaky_relu": _leaky,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
}
