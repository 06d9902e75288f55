"""Activations: their values and slopes match torch and the formulas, also far from zero."""

import mpmath
import numpy as np
import pytest
from pydantic import ValidationError

from service.analysis.activation import Activation
from tests.analysis.support import ACTIVATIONS, label, phi
from tests.catalogue.layers.frameworks import imported

POINTS = np.concatenate(
    [
        np.linspace(-9, 9, 181),
        [1e3, -1e3, 40.0, -40.0, 5e-324, -5e-324, 1e-310, 1e-12, -1e-12, -0.0],
    ]
)
each = pytest.mark.parametrize("activation", ACTIVATIONS, ids=label)


@each
def test_value_or_slope_is_not_torchs(activation: Activation) -> None:
    torch = imported("torch")
    functional = torch.nn.functional
    z = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
    function = {"linear": lambda x: x, "sigmoid": torch.sigmoid, "tanh": torch.tanh}.get(
        activation.name
    ) or getattr(functional, activation.name)
    extra = {"negative_slope": activation.below} if activation.name == "leaky_relu" else {}
    value = function(z, **extra)
    value.sum().backward()
    found = activation.at(POINTS)
    np.testing.assert_allclose(found.value, value.detach().numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.slope, z.grad.numpy(), rtol=1e-12, atol=1e-15)


@each
def test_value_or_slope_is_not_the_formula(activation: Activation) -> None:
    points = POINTS[POINTS != 0]
    found = activation.at(points)
    with mpmath.workdps(40):
        for order, values in enumerate(found):
            exact = [float(phi(activation, order)(mpmath.mpf(float(z)))) for z in points]
            # Far from zero, tanh's slope is a difference of two numbers close to 1; hence atol.
            np.testing.assert_allclose(values, exact, rtol=1e-13, atol=1e-15)


@each
def test_far_out_is_no_number(activation: Activation) -> None:
    far = np.array([-1e3, -745.2, 0.0, -0.0, 5e-324, 745.2, 1e3, 1e6, -1e6])
    found = activation.at(far)
    assert np.isfinite(found.value).all()
    assert np.isfinite(found.slope).all()
    assert found.value.shape == found.slope.shape == far.shape


def test_gelu_loses_its_digits_below_zero() -> None:
    z = np.array([-3.0, -6.0, -9.0, -20.0, -37.0])
    exact = [float(z_ * mpmath.ncdf(z_)) for z_ in map(float, z)]
    np.testing.assert_allclose(Activation(name="gelu").at(z).value, exact, rtol=1e-12)


def test_gelu_of_many_values_is_cut_wrongly() -> None:
    z = np.linspace(-3, 3, 3 * 8192 + 5).reshape(-1, 1)
    gelu = Activation(name="gelu")
    assert np.array_equal(gelu.at(z).value[::97], gelu.at(z[::97]).value)


def test_slope_is_stated_for_what_has_none() -> None:
    for name in ("relu", "linear", "tanh"):
        with pytest.raises(ValidationError, match=f"leaky_relu and {name} has none"):
            Activation(name=name, negative_slope=0.1)
    assert Activation(name="leaky_relu").below == 0.01
    assert Activation(name="leaky_relu", negative_slope=0).below == 0
