"""Gaussian averages match mpmath at small and large variances and at every correlation."""

import math
from functools import cache
from itertools import pairwise

import mpmath
import numpy as np
import pytest

from service.analysis.activation import Activation, Response, Values
from service.analysis.expectation import flat_below, joint, moments, saturated, squares
from tests.analysis.support import ACTIVATIONS, label, mean, phi, power

VARIANCES = [1e-8, 1.0, 7.0, 400.0]
each = pytest.mark.parametrize("activation", ACTIVATIONS, ids=label)
SMOOTH = [a for a in ACTIVATIONS if a.below is None]
relu = Activation(name="relu")


@each
def test_moments_are_not_mpmaths(activation: Activation) -> None:
    value, slope = phi(activation), phi(activation, 1)
    for q in VARIANCES:
        found = moments(activation, q)
        size = math.sqrt(float(mean(power(value, 2, math.sqrt(q)), q)) * q)
        square, fourth = size**2, float(mean(power(value, 4, size), q)) * size**4
        slope_square, slope_fourth = (float(mean(power(slope, n), q)) for n in (2, 4))
        assert found.square == pytest.approx(square, rel=1e-9)
        assert found.kurtosis == pytest.approx(fourth / square**2, rel=1e-9)
        assert found.slope_square == pytest.approx(slope_square, rel=1e-9)
        assert found.slope_kurtosis == pytest.approx(slope_fourth / slope_square**2, rel=1e-9)
        both = squares(activation, np.array([[q, q]]))
        np.testing.assert_allclose(both.value, [[square, square]], rtol=1e-9)
        np.testing.assert_allclose(both.slope, [[slope_square, slope_square]], rtol=1e-9)


@pytest.mark.parametrize("activation", SMOOTH, ids=label)
def test_growth_is_not_the_derivative(activation: Activation) -> None:
    for q in (0.05, 1.0, 30.0):
        step = 1e-3
        low, here, high = (moments(activation, q * math.exp(s)) for s in (-step, 0, step))
        logs = [math.log(m.square) for m in (low, here, high)]
        assert here.growth == pytest.approx((logs[2] - logs[0]) / (2 * step), abs=1e-6)
        assert here.bend == pytest.approx((logs[2] - 2 * logs[1] + logs[0]) / step**2, abs=1e-5)
        slopes = [math.log(m.slope_square) for m in (low, high)]
        assert here.slope_growth == pytest.approx((slopes[1] - slopes[0]) / (2 * step), abs=1e-6)


def test_variance_that_is_vast_is_not_seen() -> None:
    """The squared slope of tanh is then a narrow peak, of area 4/3, at density 1/sqrt(2 pi q)."""
    for q in (1e4, 1e6):
        peak = 4 / 3 / math.sqrt(2 * math.pi * q)
        found = moments(Activation(name="tanh"), q).slope_square
        assert found == pytest.approx(peak, rel=2 / q)


@pytest.mark.parametrize("activation", SMOOTH, ids=label)
def test_variance_near_zero_is_lost(activation: Activation) -> None:
    for q in (0.0, 1e-200, 1e-306):
        found = moments(activation, q)
        assert all(map(math.isfinite, found))
        if q and activation.name != "sigmoid":
            assert found.growth == pytest.approx(1, abs=1e-6)
            assert found.square == pytest.approx(q * moments(activation, 1e-20).square * 1e20)


@pytest.mark.parametrize("activation", SMOOTH, ids=label)
def test_places_that_are_interpolated_are_others(activation: Activation) -> None:
    for low, high in ((0.5, 2.0), (1e-4, 1.0), (1e-9, 1e3)):
        q = np.geomspace(low, high, 300).reshape(20, 15)
        found = squares(activation, q)
        for at in [(0, 0), (7, 3), (12, 14), (19, 14)]:
            exact = moments(activation, float(q[at]))
            assert found.value[at] == pytest.approx(exact.square, rel=1e-9)
            assert found.slope[at] == pytest.approx(exact.slope_square, rel=1e-8)
    odd = np.concatenate([[0.0, np.inf, np.nan], np.geomspace(0.1, 1, 200)])
    with np.errstate(all="ignore"):
        found = squares(activation, odd)
    exact = moments(activation, 1.0)
    assert found.value[-1] == pytest.approx(exact.square, rel=1e-9)
    assert found.value[0] == pytest.approx(moments(activation, 0.0).square, abs=1e-15)


def mehler(activation: Activation, order: int, q: float, c: float) -> float:
    """Return the average of a product as a sum of c^n times squared Hermite coefficients."""
    function, (z, weight) = phi(activation, order), panels()
    values = np.array([float(function(mpmath.mpf(math.sqrt(q) * x))) for x in z])
    before, hermite, total = np.zeros_like(z), np.ones_like(z), 0.0
    for n in range(80):
        total += c**n * float(values * hermite @ weight) ** 2
        after = (z * hermite - math.sqrt(n) * before) / math.sqrt(n + 1)
        before, hermite = hermite, after
    return total


@cache
def panels() -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of averages over a standard normal, from -12 to 0 to 12."""
    x, w = np.polynomial.legendre.leggauss(24)
    ends = np.linspace(-12, 12, 25)
    z = np.concatenate([(b - a) * (x + 1) / 2 + a for a, b in pairwise(ends)])
    return z, np.tile(w / 2, 24) * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=label)
def test_averages_of_a_pair_are_not_mpmaths(activation: Activation) -> None:
    for q, c, accuracy in ((1.0, 0.5, 1e-9), (0.3, -0.6, 1e-9), (12.0, 0.6, 1e-6)):
        for order, average in enumerate(joint(activation, q, c)):
            exact = mehler(activation, order, q, c)
            assert average == pytest.approx(exact, rel=accuracy, abs=1e-10)


@each
def test_pair_that_is_one_signal_has_other_averages(activation: Activation) -> None:
    for q in (0.01, 1.0, 9.0):
        alone = moments(activation, q)
        found = joint(activation, q, 1.0)
        assert found.product == pytest.approx(alone.square, rel=1e-8)
        assert found.slope_product == pytest.approx(alone.slope_square, rel=1e-7)
        near = joint(activation, q, 0.9999)
        assert near.product == pytest.approx(found.product, rel=2e-3)
        mirrored = float(mean(lambda z: phi(activation)(z) * phi(activation)(-z), q))
        assert joint(activation, q, -1.0).product == pytest.approx(mirrored, rel=1e-5, abs=1e-12)
        apart = joint(activation, q, 0.0)
        average = float(mean(phi(activation), q))
        assert apart.product == pytest.approx(average**2, rel=1e-8, abs=1e-11)


@pytest.mark.parametrize("c", [-1, -0.7, 0.0, 0.3, 0.9999, 1])
@pytest.mark.parametrize("below", [0.0, 0.01, 0.4, -1.0])
def test_closed_form_is_not_the_general_integral(
    below: float, c: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    activation = Activation(name="leaky_relu", negative_slope=below)
    closed = joint(activation, 1.7, c)
    monkeypatch.setattr(Activation, "below", None)  # use the general integral
    monkeypatch.setattr(Activation, "at", lambda _, z: bent(below, z))
    assert closed == pytest.approx(joint(activation, 1.7, c), rel=1e-10, abs=1e-12)


def bent(below: float, z: Values) -> Response:
    slope = np.where(z > 0, 1.0, below)
    return Response(slope * z, slope)


def test_relus_correlation_after_100_layers_is_gauss_hermites() -> None:
    c = 0.0
    for _ in range(100):
        c = 2 * joint(relu, 1.0, c).product
    assert c == pytest.approx(0.99642, abs=5e-6)


def test_share_that_is_saturated_is_wrong() -> None:
    assert saturated(relu, 3.0) == pytest.approx(0.5, abs=2e-3)
    assert saturated(Activation(name="linear"), 3.0) == 0
    assert saturated(Activation(name="tanh"), 1e4) == pytest.approx(1, abs=0.03)
    flat = flat_below(Activation(name="tanh"))
    bound = math.atanh(math.sqrt(1 - flat))
    exact = math.erfc(bound / math.sqrt(2 * 2.0))
    assert saturated(Activation(name="tanh"), 2.0) == pytest.approx(exact, abs=4e-3)
