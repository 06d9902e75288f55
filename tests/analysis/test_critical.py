"""Critical points match those of the critical scheme, and satisfy their definition."""

import math

import pytest

from service.analysis.activation import Activation
from service.analysis.critical import critical
from service.analysis.expectation import moments
from service.catalogue.schemes import Critical
from service.catalogue.schemes.critical import CriticalName
from service.numerics.fans import Geometry
from tests.analysis.support import ACTIVATIONS, label


@pytest.mark.parametrize("name", ["linear", "tanh", "relu", "leaky_relu", "gelu", "silu"])
def test_critical_point_is_not_the_schemes(name: CriticalName) -> None:
    slope = 0.2 if name == "leaky_relu" else 0.0
    found = critical(Activation(name=name, negative_slope=slope or None))
    assert found
    scheme = Critical(nonlinearity=name, negative_slope=slope)
    assert found.weights == pytest.approx(scheme.gain_squared, rel=1e-8)
    biases = Critical(nonlinearity=name, negative_slope=slope, bias=True).resolve(Geometry((1,)))
    assert found.biases == pytest.approx(biases.moments[1] ** 2, abs=1e-8)


def test_gelus_variance_that_stays_is_another() -> None:
    found = critical(Activation(name="gelu"))
    assert found
    assert found.q == pytest.approx((3 + math.sqrt(17)) / 2, rel=1e-9)


def test_critical_point_is_none() -> None:
    """Small differences, the variance, and deviations of the variance all stay the same."""
    for activation in ACTIVATIONS:
        found = critical(activation)
        if found is None:
            continue
        at = moments(activation, found.q or (1e-24 if found.q == 0 else 1.0))
        assert found.weights * at.slope_square == pytest.approx(1, rel=1e-9), label(activation)
        if found.q:
            assert found.weights * at.square + found.biases == pytest.approx(found.q, rel=1e-12)
            assert found.weights * at.square * at.growth == pytest.approx(found.q, rel=1e-9)


def test_sigmoid_has_one() -> None:
    assert critical(Activation(name="sigmoid")) is None
