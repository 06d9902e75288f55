"""Forward and backward gains, of single layers and of chains."""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import service
from service.plan.gains import SLOPES
from tests.support import recipe_of, tensor

Real = Any


def sigmoid(z: Real) -> Real:
    return 1 / (1 + mpmath.exp(-z))


_SELU = (1.6732632423543772848, 1.0507009873554804934)
_SLOPE: dict[str, Callable[[Real], Real]] = {
    "linear": lambda _: 1,
    "conv": lambda _: 1,
    "sigmoid": lambda z: sigmoid(z) * (1 - sigmoid(z)),
    "tanh": lambda z: 1 - mpmath.tanh(z) ** 2,
    "relu": lambda z: 1 if z > 0 else 0,
    "selu": lambda z: _SELU[1] * (1 if z > 0 else _SELU[0] * mpmath.exp(z)),
    "gelu": lambda z: mpmath.ncdf(z) + z * mpmath.npdf(z),
    "silu": lambda z: sigmoid(z) * (1 + z * (1 - sigmoid(z))),
}


def explained(*tensors: dict[str, Any], **members: Any) -> dict[str, Any]:
    recipe = service.parse(recipe_of(*tensors, **members))
    return service.explain(recipe, service.compile(recipe))


@pytest.mark.parametrize("name", SLOPES)
def test_mean_square_slope_is_not_the_integral(name: str) -> None:
    slope = _SLOPE[name]
    found = mpmath.quad(lambda z: slope(z) ** 2 * mpmath.npdf(z), [-10, -4, 0, 4, 10])
    assert SLOPES[name] == pytest.approx(float(found), rel=1e-9)


@pytest.mark.parametrize(
    ("init", "forward", "backward"),
    [
        ("kaiming", 1.0, 50 / 200),
        ({"scheme": "kaiming", "mode": "fan_out"}, 200 / 50, 1.0),
        ("lecun", 1.0, 50 / 200),
        ("xavier", 2 * 200 / 250, 2 * 50 / 250),
        ({"scheme": "normal", "std": 0.02}, 200 * 0.0004, 50 * 0.0004),
        (
            {"scheme": "kaiming", "nonlinearity": "leaky_relu", "negative_slope": 0.5},
            1.0,
            50 / 200,
        ),
        ({"scheme": "critical", "nonlinearity": "gelu"}, 1.98305825 * SLOPES["gelu"], None),
        ("orthogonal", 1.0, 50 / 200),
    ],
    ids=str,
)
def test_gain_is_another(init: Any, forward: float, backward: float | None) -> None:
    (row,) = explained(tensor(init, (50, 200)))["tensors"]
    assert row["forward_gain"] == pytest.approx(forward, rel=1e-6)
    assert row["backward_gain"] == pytest.approx(backward or forward / 4, rel=1e-6)


def test_bias_or_buffer_has_a_gain() -> None:
    rows = explained(tensor("zeros", (4,)), tensor("ones", (4, 4), name="x"))["tensors"]
    assert all(row["forward_gain"] is None for row in rows)


def test_chain_does_not_show_that_signals_vanish() -> None:
    """Fifty layers with the common std of 0.01."""
    layers = [
        {"name": f"l{i}", "type": "linear", "in_features": 256, "out_features": 256}
        for i in range(50)
    ]
    init = {"scheme": "normal", "std": 0.01}
    chain = explained(layers=layers, init=init)["chain"]
    assert chain["layers"] == 50
    assert chain["log10_forward_gain"] == pytest.approx(50 * math.log10(256e-4))
    assert chain["forward_gain"] == pytest.approx((256e-4) ** 50)
    kept = explained(layers=layers, init="lecun_normal")["chain"]
    assert kept["forward_gain"] == pytest.approx(1.0)
    assert kept["backward_gain"] == pytest.approx(1.0)


def test_chain_beyond_float64_breaks_the_answer() -> None:
    huge = [tensor({"scheme": "normal", "std": 1e9}, (9, 9), name=f"{i:02}") for i in range(40)]
    chain = explained(*huge)["chain"]
    assert chain["forward_gain"] is None
    assert chain["log10_forward_gain"] == pytest.approx(40 * math.log10(9e18))
    nothing = explained(tensor({"scheme": "normal", "std": 0}, (9, 9)))["chain"]
    assert nothing["forward_gain"] == 0
    assert nothing["log10_forward_gain"] is None


def test_forward_gain_is_not_what_a_network_does() -> None:
    """A batch that passes through generated layers: the measured gain is the explained one."""
    shape, depth = (400, 400), 6
    recipe = recipe_of(
        *(tensor("kaiming", shape, name=f"l{i}") for i in range(depth)), seed=3, dtype="F64"
    )
    weights = np.frombuffer(
        b"".join(service.stream(plan := service.compile(service.parse(recipe))))[len(plan.header) :]
    ).reshape(depth, *shape)
    signal = np.random.default_rng(0).standard_normal((200, 400))
    norms = []
    for weight in weights:
        signal = np.maximum(signal @ weight.T, 0)
        norms.append((signal**2).mean())
    expected = explained(*recipe["tensors"])["tensors"][0]["forward_gain"]
    assert norms[-1] / norms[0] == pytest.approx(expected ** (depth - 1), rel=0.2)
