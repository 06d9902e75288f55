"""Critical points: variances of weights and biases that preserve signals at any depth.

At a critical point chi = 1: small differences between two inputs neither grow nor shrink. Neither
do deviations of the variance from its fixed point, so the variance stays there.

Source: Roberts, Yaida & Hanin 2022, sections 5.1 to 5.4: https://arxiv.org/abs/2106.10165
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from service.analysis.activation import Activation
from service.analysis.expectation import moments

_SEARCH_INTERVAL = (0.5, 100.0)
"""Interval of variances that is searched for a nonzero fixed point."""

_TINY = 1e-30
"""A variance so small that an activation equals its tangent at 0."""


class Critical(NamedTuple):
    """A critical point.

    Args:
        weights: C_W; the variance of the weights is C_W / fan_in.
        biases: C_b, the variance of the biases.
        q: The fixed point of the variance; None if every variance is a fixed point, 0 if the
            variance only tends to 0.
    """

    weights: float
    biases: float
    q: float | None


@lru_cache(maxsize=64)
def critical(activation: Activation) -> Critical | None:
    """Return the activation's critical point; None if it has none, like the sigmoid."""
    if activation.below is not None:
        return Critical(2 / (1 + activation.below**2), 0.0, None)
    low, high = map(math.log, _SEARCH_INTERVAL)
    if _excess(activation, low) > 0 > _excess(activation, high):
        return _at(activation, math.exp(_root(activation, low, high)))
    if float(activation.at(np.zeros(1)).value[0]) != 0:
        return None
    return Critical(1 / moments(activation, _TINY).slope_square, 0.0, 0.0)


def _root(activation: Activation, low: float, high: float) -> float:
    """Return the zero of `_excess`, by bisection to the last bit."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _excess(activation, middle) > 0 else (low, middle)
    return low


def _at(activation: Activation, q: float) -> Critical:
    averages = moments(activation, q)
    weights = 1 / averages.slope_square
    return Critical(weights, q - weights * averages.square, q)


def _excess(activation: Activation, log_q: float) -> float:
    """Return the growth factor of deviations of the variance at chi = 1, minus 1."""
    q = math.exp(log_q)
    averages = moments(activation, q)
    return averages.growth * averages.square / (q * averages.slope_square) - 1
