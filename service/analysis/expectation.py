"""Gaussian averages of activations: what infinitely wide layers do to signals and gradients.

Some activations have a kink at zero, where Gauss-Hermite quadrature is wrong by percents. Integrals
are therefore split into regions in which activations are smooth: the two sides of zero, and in two
dimensions the sectors between the lines on which a signal is zero.

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
"""Number of nodes on each side of zero, in one dimension."""

_ENDS = (-3.6, 2.4)
"""Range of t in z = exp(t - exp(-t)): z runs from 10^-17 to 10 standard deviations."""

_RADII, _ANGLES, _REACH = 32, 24, 9.0
"""In two dimensions: radial nodes, nodes per sector, and largest radius in standard deviations."""

_MAX_DIRECT, _MAX_DEGREE = 64, 256
"""Largest number of variances averaged one by one; largest degree of interpolation for more."""

_SMALLEST = 5e-324
"""The smallest float64 above zero; replaces zero where a logarithm is taken."""

_QUANTILES = 500
"""Number of quantiles of the normal at which saturation is counted."""

_FLAT = 0.05
"""Fraction of the steepest slope below which an activation is saturated."""


class Nodes(NamedTuple):
    """Nodes on both sides of zero. They are denser near zero, so they work for every variance.

    Args:
        z: The nodes.
        weight: Weights for averages over a standard normal.
        first: Weights for the first derivative of an average by the logarithm of the variance.
        second: Weights for the second derivative by the logarithm of the variance.
    """

    z: Values
    weight: Values
    first: Values
    second: Values


@cache
def _nodes() -> Nodes:
    t, step = np.linspace(*_ENDS, _NODES, retstep=True)
    above = np.exp(t - np.exp(-t))
    each = step * above * (1 + np.exp(-t)) * np.exp(-0.5 * above**2) / math.sqrt(2 * math.pi)
    z, weight = np.concatenate([-above[::-1], above]), np.concatenate([each[::-1], each])
    # Only the density depends on the variance, so only the density is differentiated.
    return Nodes(z, weight, weight * (z**2 - 1) / 2, weight * (z**4 - 4 * z**2 + 1) / 4)


class Squares(NamedTuple):
    """Second moments over z, which is normal with variance q. Each has the shape of q.

    Args:
        value: E[phi^2], the second moment of the activation's output.
        slope: E[phi'^2], the factor on squared gradients and small differences.
    """

    value: Values
    slope: Values


def squares(activation: Activation, q: Values) -> Squares:
    """Return the second moments at variances ``q``, of any shape."""
    below = activation.below
    if below is not None:
        second = (1 + below * below) / 2
        return Squares(second * q, np.full(q.shape, second))
    distinct, inverse = np.unique(q, return_inverse=True)
    value, slope = np.empty_like(distinct), np.empty_like(distinct)
    usual = (distinct > 0) & (distinct < math.inf)
    # Zero, infinity and NaN have no finite logarithm, so they are not interpolated with the others.
    for chosen in (usual, ~usual):
        part = distinct[chosen]
        compute = _interpolated if len(part) > _MAX_DIRECT else _squares
        value[chosen], slope[chosen] = compute(activation, part)
    return Squares(value[inverse].reshape(q.shape), slope[inverse].reshape(q.shape))


def _squares(activation: Activation, q: Values) -> Squares:
    nodes = _nodes()
    response = activation.at(np.sqrt(q)[:, None] * nodes.z)
    return Squares(response.value**2 @ nodes.weight, response.slope**2 @ nodes.weight)


def _interpolated(activation: Activation, q: Values) -> Squares:
    """Return the same from polynomials in ln q, with a relative error of about 10^-11."""
    low, high = math.log(q.min()), math.log(q.max())
    middle, half = (low + high) / 2, (high - low) / 2

    def logarithms(x: Any) -> Any:
        exact = _squares(activation, np.exp(middle + half * x))
        return np.log(np.maximum(np.transpose(exact), _SMALLEST))

    coefficients = chebyshev.chebinterpolate(
        logarithms, min(24 + math.ceil(14 * half), _MAX_DEGREE)
    )
    return Squares(*np.exp(chebyshev.chebval((np.log(q) - middle) / half, coefficients)))


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
    """Return the moments at the variance ``q``."""
    below = activation.below
    if below is not None:
        second, fourth = (1 + below**2) / 2, (1 + below**4) / 2
        tail = fourth / second**2
        return Moments(second * q, 3 * tail, 1.0, 0.0, second, tail, 0.0)
    nodes = _nodes()
    response = activation.at(math.sqrt(q) * nodes.z)
    square, value = _relative(response.value, nodes)
    slope_square, slope = _relative(response.slope, nodes)
    growth = float(value @ nodes.first)
    return Moments(
        square,
        float(value**2 @ nodes.weight),
        growth,
        float(value @ nodes.second) - growth * growth,
        slope_square,
        float(slope**2 @ nodes.weight),
        float(slope @ nodes.first),
    )


def _relative(values: Values, nodes: Nodes) -> tuple[float, Values]:
    """Return the second moment of values, and their squares divided by it."""
    mean = float(values**2 @ nodes.weight)
    return mean, values**2 / mean if mean else np.zeros_like(values)


class Joint(NamedTuple):
    """Averages over a pair of correlated signals u and v.

    Args:
        product: E[phi(u) phi(v)].
        slope_product: E[phi'(u) phi'(v)].
    """

    product: float
    slope_product: float


def joint(activation: Activation, q: float, c: float) -> Joint:
    """Return averages over u and v, which are normal with variance ``q`` and correlation ``c``."""
    c = min(1.0, max(-1.0, c))
    angle, below = math.acos(c), activation.below
    if below is not None:
        return _arccos(below, q, c)
    radius, weight = _radii()
    x, each = _half(_ANGLES)
    # u = r cos(b + angle / 2) and v = r cos(b - angle / 2). For b from 0 to pi, both are positive,
    # then their signs differ, then both are negative. b and -b give the same, hence the factor 2.
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
    """Return radii in the plane of two standard normals, and their weights per unit of angle."""
    x, weight = _half(_RADII)
    radius = _REACH * x
    return radius, _REACH * weight * radius * np.exp(-0.5 * radius**2) / (2 * math.pi)


def _arccos(below: float, q: float, c: float) -> Joint:
    """Return the averages in closed form for (1 - a) relu(z) + a z; a is the slope below 0."""
    angle = math.acos(c)
    product = (math.sin(angle) + (math.pi - angle) * c) / (2 * math.pi)
    slope_product = (math.pi - angle) / (2 * math.pi)
    bent = (1 - below) ** 2
    return Joint(q * (bent * product + below * c), bent * slope_product + below)


def saturated(activation: Activation, q: float) -> float:
    """Return the share of normal values at which an activation is flat.

    Args:
        activation: The activation. A sigmoid is flat far from zero, a rectifier below zero.
        q: Variance of the values.
    """
    slope = np.abs(activation.at(math.sqrt(q) * _quantiles()).slope)
    return float((slope < flat_below(activation)).mean())


@lru_cache(maxsize=64)
def flat_below(activation: Activation) -> float:
    """Return the slope below which an activation counts as flat: 5% of its steepest slope."""
    return _FLAT * float(np.abs(activation.at(np.linspace(-8.0, 8.0, 4_001)).slope).max())


@cache
def _quantiles() -> Values:
    normal = NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / _QUANTILES) for i in range(_QUANTILES)])
