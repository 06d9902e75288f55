"""Gaussian averages of activations: what infinitely wide layers do to signals and gradients.

Integrals are taken over regions in which activations are smooth: on either side of zero, where some
have a kink, and in two dimensions in the sectors between the lines on which a signal is zero.
Gauss-Hermite quadrature, which is exact for polynomials, errs by percents at a kink.

Sources:
    Poole et al. 2016, eqs. 3 and 5 (variance and correlation maps): https://arxiv.org/abs/1606.05340
    Cho & Saul 2009, eqs. 1 and 6 (rectifiers in closed form):
    https://papers.nips.cc/paper/3628-kernel-methods-for-deep-learning
    Takahasi & Mori 1974 (double exponential formulas): https://doi.org/10.2977/prims/1195192451
"""

import math
from functools import cache, lru_cache
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import chebyshev, legendre

from service.analysis.activation import Activation, Values

_NODES = 128
"""Nodes on either side of zero, in one dimension."""

_ENDS = (-3.6, 2.4)
"""Range of t, where z = exp(t - exp(-t)): from 10^-17 to 10 standard deviations."""

_RADII, _ANGLES, _REACH = 32, 24, 9.0
"""Nodes in two dimensions, radially and in each sector, and the radius in standard deviations."""

_DIRECT, _MOST = 64, 256
"""Most variances that are averaged one by one; degree of the polynomials for more."""

_LEAST = 5e-324
"""The smallest float64 above zero, so that zero has a logarithm."""

_QUANTILES = 500
"""Quantiles of the normal at which saturation is counted."""

_FLAT = 0.05
"""Fraction of the steepest slope below which an activation is saturated."""


class Line(NamedTuple):
    """Nodes on both sides of zero, denser near zero, so that they serve every variance.

    Args:
        z: The nodes.
        weight: Weights for averages over a standard normal.
        first: Weights for the first derivative of an average by the logarithm of the variance.
        second: Weights for the second derivative.
    """

    z: Values
    weight: Values
    first: Values
    second: Values


@cache
def _line() -> Line:
    t, step = np.linspace(*_ENDS, _NODES, retstep=True)
    above = np.exp(t - np.exp(-t))
    each = step * above * (1 + np.exp(-t)) * np.exp(-0.5 * above**2) / math.sqrt(2 * math.pi)
    z, weight = np.concatenate([-above[::-1], above]), np.concatenate([each[::-1], each])
    # The density depends on the variance, not the activation, so the density is differentiated.
    return Line(z, weight, weight * (z**2 - 1) / 2, weight * (z**4 - 4 * z**2 + 1) / 4)


class Squares(NamedTuple):
    """Second moments over z, normal of variance q; each of the shape of q.

    Args:
        value: E[phi^2], of the activation's output.
        slope: E[phi'^2], the factor on gradients and small differences.
    """

    value: Values
    slope: Values


def squares(activation: Activation, q: Values) -> Squares:
    """Return the second moments at variances ``q``, of any shape."""
    below = activation.below
    if below is not None:
        second = (1 + below * below) / 2
        return Squares(second * q, np.full(q.shape, second))
    distinct, back = np.unique(q, return_inverse=True)
    value, slope = np.empty_like(distinct), np.empty_like(distinct)
    usual = (distinct > 0) & (distinct < math.inf)
    for places in (usual, ~usual):  # except zero, infinity and NaN, whose logarithm is not finite
        part = distinct[places]
        found = _interpolated if len(part) > _DIRECT else _squares
        value[places], slope[places] = found(activation, part)
    return Squares(value[back].reshape(q.shape), slope[back].reshape(q.shape))


def _squares(activation: Activation, q: Values) -> Squares:
    line = _line()
    found = activation.at(np.sqrt(q)[:, None] * line.z)
    return Squares(found.value**2 @ line.weight, found.slope**2 @ line.weight)


def _interpolated(activation: Activation, q: Values) -> Squares:
    """Return the same by polynomials in ln q, with an error of about 10^-11."""
    low, high = math.log(q.min()), math.log(q.max())
    middle, half = (low + high) / 2, (high - low) / 2

    def logarithms(x: Any) -> Any:
        found = _squares(activation, np.exp(middle + half * x))
        return np.log(np.maximum(np.transpose(found), _LEAST))

    factors = chebyshev.chebinterpolate(logarithms, min(24 + math.ceil(14 * half), _MOST))
    return Squares(*np.exp(chebyshev.chebval((np.log(q) - middle) / half, factors)))


class Moments(NamedTuple):
    """Averages at one variance, and how they change with it.

    Args:
        square: E[phi^2].
        kurtosis: E[phi^4] / E[phi^2]^2.
        growth: First derivative of ln E[phi^2] by ln q.
        bend: Second derivative of ln E[phi^2] by ln q.
        slope_square: E[phi'^2].
        slope_kurtosis: E[phi'^4] / E[phi'^2]^2.
        slope_growth: First derivative of ln E[phi'^2] by ln q.
    """

    square: float
    kurtosis: float
    growth: float
    bend: float
    slope_square: float
    slope_kurtosis: float
    slope_growth: float


def moments(activation: Activation, q: float) -> Moments:
    """Return the moments at a variance."""
    below = activation.below
    if below is not None:
        second, fourth = (1 + below**2) / 2, (1 + below**4) / 2
        tail = fourth / second**2
        return Moments(second * q, 3 * tail, 1.0, 0.0, second, tail, 0.0)
    line = _line()
    found = activation.at(math.sqrt(q) * line.z)
    square, value = _relative(found.value, line)
    slope_square, slope = _relative(found.slope, line)
    growth = float(value @ line.first)
    return Moments(
        square,
        float(value**2 @ line.weight),
        growth,
        float(value @ line.second) - growth * growth,
        slope_square,
        float(slope**2 @ line.weight),
        float(slope @ line.first),
    )


def _relative(values: Values, line: Line) -> tuple[float, Values]:
    """Return the second moment of values, and their squares relative to it."""
    mean = float(values**2 @ line.weight)
    return mean, values**2 / mean if mean else np.zeros_like(values)


class Joint(NamedTuple):
    """Averages over a pair of signals.

    Args:
        product: E[phi(u) phi(v)].
        slope_product: E[phi'(u) phi'(v)].
    """

    product: float
    slope_product: float


def joint(activation: Activation, q: float, c: float) -> Joint:
    """Return averages over u and v, normal of variance ``q`` and correlation ``c``."""
    c = min(1.0, max(-1.0, c))
    angle, below = math.acos(c), activation.below
    if below is not None:
        return _arccos(below, q, c)
    radius, weight = _radii()
    x, each = _half(_ANGLES)
    # u and v are r cos(b + angle / 2) and r cos(b - angle / 2). Both are positive up to one bound
    # of b, and both negative from another on; b and -b are alike.
    half = (math.pi - angle) / 2
    b = np.concatenate([half * x, half + angle * x, math.pi - half * x])
    weights = 2 * np.concatenate([half * each, angle * each, half * each])
    r = math.sqrt(q) * radius[:, None]
    u, v = activation.at(r * np.cos(b + angle / 2)), activation.at(r * np.cos(b - angle / 2))
    return Joint(
        float(weight @ (u.value * v.value) @ weights),
        float(weight @ (u.slope * v.slope) @ weights),
    )


@cache
def _half(nodes: int) -> tuple[Values, Values]:
    """Return nodes and weights of Gauss-Legendre on [0, 1]."""
    x, weight = legendre.leggauss(nodes)
    return (x + 1) / 2, weight / 2


@cache
def _radii() -> tuple[Values, Values]:
    """Return radii in the plane of two standard normals, and their weights for each angle."""
    x, weight = _half(_RADII)
    radius = _REACH * x
    return radius, _REACH * weight * radius * np.exp(-0.5 * radius**2) / (2 * math.pi)


def _arccos(below: float, q: float, c: float) -> Joint:
    """Return the closed form for activations linear on both sides of 0: (1 - a) relu(z) + a z."""
    angle = math.acos(c)
    product = (math.sin(angle) + (math.pi - angle) * c) / (2 * math.pi)
    slope_product = (math.pi - angle) / (2 * math.pi)
    bent = (1 - below) ** 2
    return Joint(q * (bent * product + below * c), bent * slope_product + below)


def saturated(activation: Activation, q: float) -> float:
    """Return the share of values whose slope is under a twentieth of the steepest.

    Args:
        activation: The activation; a sigmoid is flat far out, a rectifier below zero.
        q: Variance of the values.
    """
    slope = np.abs(activation.at(math.sqrt(q) * _quantiles()).slope)
    return float((slope < flat_below(activation)).mean())


@lru_cache(maxsize=64)
def flat_below(activation: Activation) -> float:
    """Return the slope under which an activation is saturated."""
    return _FLAT * float(np.abs(activation.at(np.linspace(-8.0, 8.0, 4_001)).slope).max())


@cache
def _quantiles() -> Values:
    normal = NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / _QUANTILES) for i in range(_QUANTILES)])
