"""Gains: how a layer changes the variance of signals and gradients at initialization.

A weight tensor of variance v, followed by the activation phi, multiplies the variance by
``fan_in v E[phi'^2]`` in the forward pass and by ``fan_out v E[phi'^2]`` in the backward pass.
A gain of 1 preserves the variance.
"""

import math
from collections.abc import Iterable

from service.errors import SchemeError
from service.plan.model import PlannedTensor
from service.sources import Region

# E[phi'(z)^2] for a standard normal z; computed again by tests/plan/test_gains.py.
SLOPES = {
    "linear": 1.0,
    "conv": 1.0,
    "sigmoid": 0.04483624135,
    "tanh": 0.46440290245,
    "relu": 0.5,
    "selu": 1.07157499246,
    "gelu": 0.45585086565,
    "silu": 0.37948235163,
}
"""The mean square of the slope of each activation."""


def gains(region: Region) -> tuple[float, float] | None:
    """Return the forward and the backward gain of a weight; None if it has no fans."""
    geometry = region.geometry
    if len(geometry.shape) < 2 or region.law.name == "constant":
        return None
    try:
        fans = geometry.fans
    except SchemeError:
        return None
    mean, std = region.law.moments
    factor = (std * std + mean * mean) * _mean_square_slope(region)
    result = fans.fan_in * factor, fans.fan_out * factor
    return result if all(map(math.isfinite, result)) else None


def _mean_square_slope(region: Region) -> float:
    scheme = region.scheme
    named = getattr(scheme, "nonlinearity", getattr(scheme, "gain", None))
    slope = getattr(scheme, "negative_slope", 0.0)
    # torch's default is leaky_relu with a slope of sqrt 5, which no network has as its activation.
    if named == "leaky_relu" and abs(slope) <= 1.0:
        return (1.0 + slope * slope) / 2.0
    return SLOPES.get(named, 1.0) if isinstance(named, str) else 1.0


def chain(tensors: Iterable[PlannedTensor]) -> dict[str, float | int | None]:
    """Return the products of the gains of consecutive layers.

    Args:
        tensors: In the order in which a signal passes through them.

    Returns:
        The number of layers that have gains, the two products (None beyond float64), and their
        logarithms to base 10 (None for 0).
    """
    pairs = [
        pair
        for tensor in tensors
        if len(tensor.source.regions) == 1 and (pair := gains(tensor.source.regions[0])) is not None
    ]
    result: dict[str, float | int | None] = {"layers": len(pairs)}
    for name, side in (("forward_gain", 0), ("backward_gain", 1)):
        values = [pair[side] for pair in pairs]
        log = math.fsum(map(math.log10, values)) if all(values) else None
        product = math.prod(values)
        result[name] = product if math.isfinite(product) else None
        result[f"log10_{name}"] = log
    return result
