"""Critical points: the variances of weights and biases at which depth changes nothing.

At a critical point differences between two inputs neither grow nor shrink, chi = 1, and neither do
deviations of the variance, so that the variance stays at the fixed point.

Source: Roberts, Yaida & Hanin 2022, sections 5.1 to 5.4: https://arxiv.org/abs/2106.10165
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from service.analysis.activation import Activation
from service.analysis.expectation import moments

_SEARCHED = (0.5, 100.0)
"""The interval of variances in which a nonzero fixed point is searched."""

_TINY = 1e-30
"""A variance at which an activation equals its tangent."""


class Critical(NamedTuple):
    """A critical point.

    Args:
        weights: C_W, the factor on 1/fan_in.
        biases: C_b, the biases' variance.
        q: The variance that stays; None if every variance does, 0 if it is only approached.
    """

    weights: float
    biases: float
    q: float | None


@lru_cache(maxsize=64)
def critical(activation: Activation) -> Critical | None:
    """Return the activation's critical point; None if it has none, as the sigmoid."""
    if activation.below is not None:
        return Critical(2 / (1 + activation.below**2), 0.0, None)
    low, high = map(math.log, _SEARCHED)
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
    found = moments(activation, q)
    weights = 1 / found.slope_square
    return Critical(weights, q - weights * found.square, q)


def _excess(activation: Activation, log_q: float) -> float:
    """Return the growth of deviations of the variance where differences do not grow."""
    q = math.exp(log_q)
    found = moments(activation, q)
    return found.growth * found.square / (q * found.slope_square) - 1
