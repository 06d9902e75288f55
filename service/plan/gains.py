"""Gains: what a layer does to the variance of signals and of gradients, before anything is trained.

A weight tensor of variance v multiplies the variance of what passes through it and its activation
by ``fan_in v E[phi'^2]`` on the way forward and ``fan_out v E[phi'^2]`` on the way back; 1
keeps it.
"""

import math
from collections.abc import Iterable

from service.errors import SchemeError
from service.plan.model import PlannedTensor
from service.sources import Region

# E[phi'(z)^2] of a standard normal z; solved by tests/plan/test_gains.py.
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
"""The mean square of the slope of an activation."""


def gains(region: Region) -> tuple[float, float] | None:
    """Return the forward and the backward gain of a weight; None where it has no fans."""
    geometry = region.geometry
    if len(geometry.shape) < 2 or region.law.name == "constant":
        return None
    try:
        fans = geometry.fans
    except SchemeError:
        return None
    mean, std = region.law.moments
    each = (std * std + mean * mean) * _slope(region)
    found = fans.fan_in * each, fans.fan_out * each
    return found if all(map(math.isfinite, found)) else None


def _slope(region: Region) -> float:
    scheme = region.scheme
    named = getattr(scheme, "nonlinearity", getattr(scheme, "gain", None))
    slope = getattr(scheme, "negative_slope", 0.0)
    # torch's own default is leaky_relu with a slope of sqrt 5, which is no activation anyone has.
    if named == "leaky_relu" and abs(slope) <= 1.0:
        return (1.0 + slope * slope) / 2.0
    return SLOPES.get(named, 1.0) if isinstance(named, str) else 1.0


def chain(tensors: Iterable[PlannedTensor]) -> dict[str, float | int | None]:
    """Return the products of the gains of layers that follow each other.

    Args:
        tensors: In the order in which a signal passes them.

    Returns:
        How many layers have gains, the two products (None beyond float64) and their logarithms to
        base 10 (None for 0).
    """
    found = [
        pair
        for tensor in tensors
        if len(tensor.source.regions) == 1 and (pair := gains(tensor.source.regions[0])) is not None
    ]
    made: dict[str, float | int | None] = {"layers": len(found)}
    for name, side in (("forward_gain", 0), ("backward_gain", 1)):
        values = [pair[side] for pair in found]
        log = math.fsum(map(math.log10, values)) if all(values) else None
        product = math.prod(values)
        made[name] = product if math.isfinite(product) else None
        made[f"log10_{name}"] = log
    return made
