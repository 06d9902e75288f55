"""Shared by the tests of the analysis: recipes, requests, responses, and integrals by mpmath."""

import json
from collections.abc import Callable
from typing import Any, get_args

import mpmath
import numpy as np
from numpy.typing import NDArray

import service
from service.analysis import analyse, calibrate
from service.analysis.activation import Activation, ActivationName
from service.analysis.chain import Chain
from service.analysis.links import chain_of
from service.analysis.network import Weights
from service.analysis.question import Question, parse_request
from service.backends import kernel
from service.stream.pipeline import Pipeline

PIPELINE = Pipeline(1, 2**24, kernel())
LIMITS = service.Limits()
Real = Any

NAMES: tuple[ActivationName, ...] = get_args(ActivationName)
ACTIVATIONS = [
    *(Activation(name=name) for name in NAMES),
    Activation(name="leaky_relu", negative_slope=0.3),
    Activation(name="leaky_relu", negative_slope=-0.5),
]


def label(activation: Activation) -> str:
    slope = activation.negative_slope
    return activation.name if slope is None else f"{activation.name} {slope}"


def dense(depth: int, width: int, **members: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": f"fc{i}",
            "type": "linear",
            "in_features": width,
            "out_features": width,
            "bias": False,
            **members,
        }
        for i in range(1, depth + 1)
    ]


def conv(depth: int, channels: int, size: Any = 3, rank: Any = 2, **more: Any) -> list[Any]:
    return [
        {
            "name": f"conv{i}",
            "type": f"conv{rank}d",
            "in_channels": channels,
            "out_channels": channels,
            "kernel_size": size,
            "bias": False,
            **more,
        }
        for i in range(1, depth + 1)
    ]


def norm(kind: str, features: int, name: str = "norm", **members: Any) -> dict[str, Any]:
    sizes: dict[str, Any] = {
        "layer_norm": {"normalized_shape": features},
        "rms_norm": {"normalized_shape": features},
        "group_norm": {"num_groups": 2, "num_channels": features},
    }
    return {"name": name, "type": kind, **sizes.get(kind, {"num_features": features}), **members}


def recipe_of(layers: list[dict[str, Any]], init: Any = "kaiming_normal", **members: Any) -> Any:
    return {"seed": 1, "init": init, "dtype": "F64", "layers": layers, **members}


def normal(variance: float) -> dict[str, Any]:
    return {"scheme": "normal", "std": variance**0.5}


def request_of(recipe: Any, **members: Any) -> bytes:
    return json.dumps({"recipe": recipe, **members}).encode()


def analysed(recipe: Any, limits: Any = LIMITS, **members: Any) -> dict[str, Any]:
    """Return the response to an analysis, after checking that it is valid JSON."""
    response = analyse(request_of(recipe, **members), limits, PIPELINE)
    text = json.dumps(response, allow_nan=False)
    return dict(json.loads(text))


def calibrated(recipe: Any, **members: Any) -> dict[str, Any]:
    response = calibrate(request_of(recipe, **members), LIMITS, PIPELINE)
    return dict(json.loads(json.dumps(response, allow_nan=False)))


def refused(recipe: Any, send: Any = analysed, **members: Any) -> dict[str, str]:
    """Return the error messages for a request by pointer; empty if it is valid."""
    try:
        send(recipe, **members)
    except service.InvalidRecipe as error:
        return {problem.pointer: problem.detail for problem in error.problems}
    return {}


def chain(recipe: Any, **members: Any) -> tuple[Chain, Weights]:
    """Return a chain and its weights."""
    question, parsed = parse_request(Question, request_of(recipe, **members), LIMITS)
    plan = service.compile(parsed)
    return chain_of(question, parsed, plan, LIMITS), Weights(plan, PIPELINE)


_BELOW = 0.01

_PHI: dict[str, tuple[Callable[[Real], Real], Callable[[Real], Real]]] = {
    "linear": (lambda z: z, lambda _: 1),
    "sigmoid": (
        lambda z: 1 / (1 + mpmath.exp(-z)),
        lambda z: mpmath.exp(-z) / (1 + mpmath.exp(-z)) ** 2,
    ),
    "tanh": (mpmath.tanh, lambda z: mpmath.sech(z) ** 2),
    "relu": (lambda z: max(z, 0), lambda z: z > 0),
    "elu": (lambda z: z if z > 0 else mpmath.expm1(z), lambda z: 1 if z > 0 else mpmath.exp(z)),
    "gelu": (lambda z: z * mpmath.ncdf(z), lambda z: mpmath.ncdf(z) + z * mpmath.npdf(z)),
    "silu": (
        lambda z: z / (1 + mpmath.exp(-z)),
        lambda z: (1 + mpmath.exp(-z) * (1 + z)) / (1 + mpmath.exp(-z)) ** 2,
    ),
}


def phi(activation: Activation, order: int = 0) -> Callable[[Real], Real]:
    """Return an activation, or its slope for order 1, implemented with mpmath."""
    if activation.name == "leaky_relu":
        slope = _BELOW if activation.negative_slope is None else activation.negative_slope
        return (lambda z: z if z > 0 else slope * z, lambda z: 1 if z > 0 else slope)[order]
    if activation.name == "selu":
        scale = mpmath.mpf("1.0507009873554804934193349852946")
        alpha = mpmath.mpf("1.6732632423543772848170429916717")
        return (
            lambda z: scale * (z if z > 0 else alpha * mpmath.expm1(z)),
            lambda z: scale * (1 if z > 0 else alpha * mpmath.exp(z)),
        )[order]
    return _PHI[activation.name][order]


def mean(function: Callable[[Real], Real], q: Real) -> Real:
    """Return the average over a normal distribution of variance q, by mpmath."""
    root = mpmath.sqrt(q)
    ends = [-12, -2, -0.1, 0, 0.1, 2, 12]
    return mpmath.quad(lambda x: function(root * x) * mpmath.npdf(x), ends)


def power(function: Callable[[Real], Real], exponent: int, size: Real = 1) -> Any:
    """Return the function (f(z) / size) ** exponent."""
    return lambda z: (function(z) / size) ** exponent


def gaussian(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=shape)
