"""Gaussian averages of activations: what infinitely wide layers do to signals and gradients.

Integrals are by Gauss-Legendre on both sides of zero, with the normal density as a factor. An
activation with a kink is smooth on either side of it; Gauss-Hermite, which is exact for
polynomials, is off by percents there.

Sources:
    Poole et al. 2016, eqs. 3 and 5 (variance and correlation maps): https://arxiv.org/abs/1606.05340
    Cho & Saul 2009, eqs. 1 and 6 (rectifiers in closed form):
    https://papers.nips.cc/paper/3628-kernel-methods-for-deep-learning
"""

import math
from collections.abc import Callable
from functools import cache, lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from service.analysis.activation import Activation, Values

_NODES = 128
"""On either side of zero, in one dimension."""

_NODES_EACH = 40
"""On either side of the kink, in each of two dimensions."""

_REACH = 12.0
"""Standard deviations to which an integral goes: beyond lie 10^-32 of a normal."""

_QUANTILES = 2_000

_FLAT = 0.05
"""Of the steepest slope: where an activation is less steep, it is saturated."""


@cache
def _half(nodes: int) -> tuple[Values, Values]:
    """Return nodes and weights of Gauss-Legendre on [0, 1]."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    return (x + 1) / 2, w / 2


@cache
def _line(nodes: int) -> tuple[Values, Values]:
    """Return nodes on both sides of zero and their weights under the standard normal density."""
    x, w = _half(nodes)
    z = np.concatenate([-_REACH * x[::-1], _REACH * x])
    return z, np.concatenate([w[::-1], w]) * _REACH * _density(z)


def _density(z: Values) -> Values:
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def mean_of(function: Callable[[Values], Values]) -> float:
    """Return the average of a function of a standard normal that is smooth but at zero."""
    z, w = _line(_NODES)
    return float(function(z) @ w)


class Moments(NamedTuple):
    """Averages over z, normal of variance q; each of the shape of q.

    Args:
        square: E[phi^2], the second moment of what the activation passes on.
        slope_square: E[phi'^2], what it does to gradients and to small differences.
        fourth: E[phi^4].
        slope_fourth: E[phi'^4].
    """

    square: Values
    slope_square: Values
    fourth: Values
    slope_fourth: Values


def moments(activation: Activation, q: Values) -> Moments:
    """Return the moments at variances ``q``, of any shape."""
    below = activation.below
    if below is not None:
        ones = np.ones_like(q)
        second, fourth = (1 + below**2) / 2, (1 + below**4) / 2
        return Moments(second * q, second * ones, 3 * fourth * q * q, fourth * ones)
    # What many places of an image have in common is computed once.
    top = float(q.max()) or 1.0
    distinct, back = np.unique(np.round(q / top, 13), return_inverse=True)
    z, w = _line(_NODES)
    found = activation.at(np.sqrt(top * distinct)[:, None] * z)
    square, slope = found.value**2, found.slope**2
    return Moments(*((part @ w)[back].reshape(q.shape) for part in _powers(square, slope)))


def _powers(square: Values, slope: Values) -> tuple[Values, Values, Values, Values]:
    return square, slope, square**2, slope**2


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
    below = activation.below
    if below is not None:
        return _arccos(below, q, c)
    rest = math.sqrt(1 - c * c)
    if rest < 1e-9:
        z, w = _line(_NODES)
        u, v = activation.at(math.sqrt(q) * z), activation.at(math.sqrt(q) * c * z)
        return Joint(float((u.value * v.value) @ w), float((u.slope * v.slope) @ w))
    z, w = _line(_NODES_EACH)
    x, half = _half(_NODES_EACH)
    # For each z the other signal has its kink where c z + rest t is zero.
    kink = np.clip(-c * z / rest, -_REACH, _REACH)[:, None]
    t = np.concatenate([kink - (kink + _REACH) * x, kink + (_REACH - kink) * x], axis=1)
    weight = np.concatenate([(kink + _REACH) * half, (_REACH - kink) * half], axis=1) * _density(t)
    u, v = (
        activation.at(math.sqrt(q) * z),
        activation.at(math.sqrt(q) * (c * z[:, None] + rest * t)),
    )
    return Joint(
        float((w * u.value) @ (weight * v.value).sum(axis=1)),
        float((w * u.slope) @ (weight * v.slope).sum(axis=1)),
    )


def _arccos(below: float, q: float, c: float) -> Joint:
    """Return the closed form of what is linear on either side of zero: (1 - a) relu(z) + a z."""
    angle = math.acos(c)
    product = (math.sqrt(1 - c * c) + (math.pi - angle) * c) / (2 * math.pi)
    slope_product = (math.pi - angle) / (2 * math.pi)
    bent = (1 - below) ** 2
    return Joint(q * (bent * product + below * c), bent * slope_product + below)


def saturated(activation: Activation, q: float) -> float:
    """Return the share of values whose slope is under a twentieth of the steepest.

    Args:
        activation: What may be flat: a sigmoid far out, a rectifier below zero.
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
