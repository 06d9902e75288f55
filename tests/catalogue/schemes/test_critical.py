"""The critical points of GELU and SiLU, solved once more from their definition.

Roberts, Yaida & Hanin 2022, section 5.3: at a kernel K the weights' C_W makes perpendicular
perturbations neither grow nor fade, C_W <phi'^2> = 1; K is where parallel ones do not either,
C_W <phi^2 (z^2 - K)> / (2 K^2) = 1; and C_b makes K a fixed point, K = C_W <phi^2> + C_b.
"""

from collections.abc import Callable
from typing import Any

import mpmath
import pytest

from service.catalogue.schemes import Critical
from service.catalogue.schemes.critical import CriticalName
from service.numerics.fans import Geometry

Real = Any


def gelu(z: Real) -> Real:
    return z * mpmath.ncdf(z)


def gelu_slope(z: Real) -> Real:
    return mpmath.ncdf(z) + z * mpmath.npdf(z)


def silu(z: Real) -> Real:
    return z / (1 + mpmath.exp(-z))


def silu_slope(z: Real) -> Real:
    s = 1 / (1 + mpmath.exp(-z))
    return s * (1 + z * (1 - s))


def mean(f: Callable[[Real], Real], kernel: Real) -> Real:
    """Return the mean of f(z), z normal of variance ``kernel``."""
    sigma = mpmath.sqrt(kernel)
    return mpmath.quad(lambda x: f(sigma * x) * mpmath.npdf(x), [-12, -6, -3, 0, 3, 6, 12])


@pytest.mark.parametrize(
    ("name", "phi", "slope", "start"),
    [("gelu", gelu, gelu_slope, 0.476), ("silu", silu, silu_slope, 3.2)],
)
def test_constant_is_not_the_critical_point(
    name: CriticalName,
    phi: Callable[[Real], Real],
    slope: Callable[[Real], Real],
    start: float,
) -> None:
    with mpmath.workdps(25):

        def imbalance(kernel: Real) -> Real:
            parallel = mean(lambda z: phi(z) ** 2 * (z * z - kernel), kernel) / (2 * kernel**2)
            return parallel - mean(lambda z: slope(z) ** 2, kernel)

        kernel = mpmath.findroot(imbalance, (start, start * 1.05), tol=1e-20)
        weights = 1 / mean(lambda z: slope(z) ** 2, kernel)
        biases = kernel - weights * mean(lambda z: phi(z) ** 2, kernel)
        assert Critical(nonlinearity=name).gain_squared == pytest.approx(float(weights), rel=1e-14)
        law = Critical(nonlinearity=name, bias=True).resolve(Geometry((1,)))
        assert law.moments[1] ** 2 == pytest.approx(float(biases), rel=1e-13)


def test_relu_or_leaky_relu_is_not_critical_at_kaimings_gain() -> None:
    assert Critical(nonlinearity="relu").gain_squared == 2.0
    leaky = Critical(nonlinearity="leaky_relu", negative_slope=0.5)
    assert leaky.gain_squared == 2.0 / 1.25
