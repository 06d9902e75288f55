"""Theory compared with brute force: mpmath's integrals, and sums over every position."""

import math
from itertools import product
from typing import Any

import numpy as np
import pytest

from service.analysis.activation import Activation
from service.analysis.chain import Chain
from service.analysis.expectation import joint
from service.analysis.theory import theory_of
from tests.analysis.support import (
    analysed,
    chain,
    conv,
    dense,
    gaussian,
    mean,
    norm,
    normal,
    phi,
    power,
    recipe_of,
)

WIDTHS = [24, 40, 16, 64, 8, 8]
AFTER: list[Any] = [
    "tanh",
    "gelu",
    {"name": "leaky_relu", "negative_slope": 0.2},
    "selu",
    "sigmoid",
    "silu",
]


def theory(recipe: Any, **members: Any) -> dict[str, Any]:
    return dict(analysed(recipe, **members)["curves"][0]["theory"])


def test_curve_is_not_that_of_mpmath() -> None:
    layers = [
        {
            "name": f"l{i}",
            "type": "linear",
            "in_features": a,
            "out_features": b,
            "init": normal(1.5 / a),
            "bias_init": normal(0.09),
        }
        for i, (a, b) in enumerate(zip([10, *WIDTHS[:-1]], WIDTHS, strict=True))
    ]
    found = theory(recipe_of(layers), activation=AFTER, input={"variance": 0.7, "correlation": 0.3})
    q, c = 0.7, 0.3
    before = [Activation(name="linear")]
    before += [Activation(**(a if isinstance(a, dict) else {"name": a})) for a in AFTER[:-1]]
    ln_q, chis = [], []
    for layer, activation in enumerate(before):
        covariance = 1.5 * joint(activation, q, c).product + 0.09
        chis.append(1.5 * float(mean(power(phi(activation, 1), 2), q)))
        q = 1.5 * float(mean(power(phi(activation), 2), q)) + 0.09
        c = covariance / q
        ln_q.append(math.log(q))
        assert found["correlation"][layer] == pytest.approx(c, rel=1e-9)
    ins = [10, *WIDTHS[:-1]]
    # Going back, a gradient is summed over fan_out outputs, but chi is defined with fan_in.
    back = [math.log(chi * out / size) for chi, out, size in zip(chis, WIDTHS, ins, strict=True)]
    assert found["ln_q"] == pytest.approx(ln_q, rel=1e-9)
    assert found["chi"] == pytest.approx(chis, rel=1e-9)
    sums = [sum(back[layer + 1 :]) for layer in range(6)]
    assert found["ln_gradient"] == pytest.approx(sums, rel=1e-9)
    assert found["ln_gradient"][-1] == 0


@pytest.mark.parametrize(
    ("init", "activation", "ln_q", "ln_gradient"),
    [
        ("kaiming_normal", "relu", 0.6931, 0.0),
        ("xavier_normal", "relu", -33.964, -33.964),
        ("xavier_normal", "tanh", -4.5630, -4.2247),
        ({"scheme": "xavier", "gain": 5 / 3, "distribution": "normal"}, "tanh", 0.1642, 8.7570),
    ],
)
def test_curve_at_depth_50_is_another(
    init: Any, activation: str, ln_q: float, ln_gradient: float
) -> None:
    found = theory(recipe_of(dense(50, 512), init), activation=activation)
    # There is no activation before the first layer, so He doubles the variance there.
    first = math.log(2) if init == "kaiming_normal" else 0
    assert found["ln_q"][0] == pytest.approx(
        first if not isinstance(init, dict) else math.log(25 / 9), abs=1e-9
    )
    assert found["ln_q"][-1] == pytest.approx(ln_q, abs=5e-4)
    assert found["ln_gradient"][0] == pytest.approx(ln_gradient, abs=5e-4)


def test_residual_stream_at_depth_50_is_another() -> None:
    layers = dense(50, 512, branch=[1, 1])
    found = theory(recipe_of(layers), activation="relu", residual_scale=50**-0.5)
    growth = [(1 + 1 / 50) ** (i + 1) for i in range(50)]
    assert found["ln_q"] == pytest.approx(np.log(growth), abs=1e-9)
    assert math.exp(found["ln_q"][-1]) == pytest.approx(2.6916, abs=5e-5)
    assert found["ln_gradient"] == pytest.approx(np.log(growth[::-1]) - math.log(1.02), abs=1e-9)


def test_branch_of_two_layers_is_added_as_one_of_one() -> None:
    layers = [{**layer, "branch": [1 + i % 2, 2]} for i, layer in enumerate(dense(6, 32))]
    found = theory(recipe_of(layers, normal(2.5 / 32)), activation="relu", residual_scale=0.5)
    stream, expected = 1.0, []
    for _ in range(3):
        inside = 2.5 * stream / 2
        stream += 0.25 * 2.5 * inside / 2
        expected += [inside, stream]
    assert found["ln_q"] == pytest.approx(np.log(expected), abs=1e-9)
    branch = 1.25 * 1.25 * 0.25
    after = [(1 + branch) ** (2 - block) for block in range(3)]
    gradients = [g for at in after for g in (at * 0.25 * 1.25, at)]
    assert found["ln_gradient"] == pytest.approx(np.log(gradients), abs=1e-9)


def places_summed(square: np.ndarray, window: tuple[int, ...], *, back: bool = False) -> np.ndarray:
    """Return sums over a window at every position, tap by tap, with zeros beyond the edges."""
    out = np.zeros_like(square)
    for at in np.ndindex(*square.shape):
        for tap in product(*map(range, window)):
            shifts = [t - (size - 1) // 2 for t, size in zip(tap, window, strict=True)]
            seen = tuple(p + s for p, s in zip(at, shifts, strict=True))
            if all(0 <= p < size for p, size in zip(seen, square.shape, strict=True)):
                if back:
                    out[seen] += square[at]
                else:
                    out[at] += square[seen]
    return out


CASES = [
    ((9,), (4,), 1),
    ((5, 4), (3, 2), 1),
    ((6, 6), (1, 5), 4),
    ((3, 4, 3), (3, 2, 1), 2),
    ((3, 3), (9, 8), 1),
]


@pytest.mark.parametrize(("size", "window", "groups"), CASES)
@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_map_under_zero_padding_is_not_summed_place_by_place(
    size: tuple[int, ...], window: tuple[int, ...], groups: int, name: Any
) -> None:
    layers = conv(3, 8, list(window), len(size), groups=groups, bias=True)
    init = normal(1.1 / (8 // groups * math.prod(window)))
    layers = [{**layer, "init": init, "bias_init": normal(0.04)} for layer in layers]
    made, _ = chain(recipe_of(layers), activation=name, input={"size": list(size)})
    found = theory_of(made, 0.5)
    activation, q = Activation(name=name), np.ones(size)
    slopes, share = [], 1.1 / math.prod(window)
    for layer, signal in enumerate(found.signals):
        before = activation if layer else Activation(name="linear")
        passed = averaged(before, 0, q)
        slopes.append(averaged(before, 1, q))
        q = share * places_summed(passed, window) + 0.04
        np.testing.assert_allclose(signal.square, q, rtol=1e-9)
    gradient = np.ones(size)
    for layer in (2, 1, 0):
        np.testing.assert_allclose(found.gradients[layer].square, gradient, rtol=1e-9)
        gradient = share * places_summed(gradient, window, back=True) * slopes[layer]


def averaged(activation: Activation, order: int, q: np.ndarray) -> np.ndarray:
    function = phi(activation, order)
    found = {v: float(mean(power(function, 2), v)) for v in set(q.round(14).flat)}
    return np.array([found[v] for v in q.round(14).flat]).reshape(q.shape)


def test_linear_map_is_not_that_of_many_networks() -> None:
    """Mean square at each position for an input of ones, over 4000 draws of the kernels."""
    made, _ = chain(
        recipe_of(conv(2, 4, [3, 2]), normal(1 / 24)),
        activation="linear",
        input={"size": [4, 3]},
    )
    found = theory_of(made, 0.5).signals[-1].square
    kernels = gaussian((2, 4000, 3, 2, 4, 4)) * math.sqrt(1 / 24)
    signal = np.ones((4000, 4, 3, 4))
    for kernel in kernels:
        padded = np.pad(signal, [(0, 0), (1, 1), (0, 1), (0, 0)])
        signal = sum(
            np.einsum("nhwi,nio->nhwo", padded[:, a : a + 4, b : b + 3], kernel[:, a, b])
            for a in range(3)
            for b in range(2)
        )
    seen = (signal**2).mean(axis=(0, 3))
    assert seen == pytest.approx(found, rel=0.06)
    assert found[0, -1] < 0.4 * found[1, 0]


def test_flattened_image_is_not_averaged_over_its_places() -> None:
    layers: list[Any] = [
        *conv(1, 4, 3, 1),
        {"name": "head", "type": "linear", "in_features": 20, "out_features": 7, "bias": False},
    ]
    layers = [{**layer, "init": normal(0.05)} for layer in layers]
    made, _ = chain(recipe_of(layers), activation="relu", input={"size": [5]})
    found = theory_of(made, 0.5)
    edges = 0.05 * 4 * np.array([2, 3, 3, 3, 2])
    np.testing.assert_allclose(found.signals[0].square, edges)
    assert float(found.signals[1].square) == pytest.approx(0.05 * 20 * edges.mean() / 2)
    np.testing.assert_allclose(found.gradients[0].square, [0.05 * 7 / 2] * 5)


@pytest.mark.parametrize("kind", ["layer_norm", "rms_norm", "group_norm", "batch_norm"])
def test_norm_keeps_the_variance_that_entered(kind: str) -> None:
    layers = [*dense(1, 16, init=normal(9 / 16)), norm(kind, 16)]
    layers += [{**dense(1, 16, init=normal(2 / 16))[0], "name": "last"}]
    made, _ = chain(recipe_of(layers), activation="relu")
    found = theory_of(made, 0.5)
    kept = 1 - 0.5 * (kind == "batch_norm")  # what all examples share is subtracted
    variances = [float(signal.square) for signal in found.signals]
    assert variances == pytest.approx([9, 1, 1], rel=1e-5)
    gradients = [float(gradient.square) for gradient in found.gradients]
    assert gradients == pytest.approx([1 / 9 / kept, 1, 1], rel=1e-5)
    assert found.signals[1].correlation == pytest.approx(0.5 * (kind != "batch_norm"), abs=1e-5)


def test_norm_of_next_to_nothing_makes_one_of_it() -> None:
    layers = [*dense(1, 16, init=normal(1e-5 / 16)), norm("layer_norm", 16)]
    made, _ = chain(recipe_of(layers))
    assert float(theory_of(made, 0.5).signals[1].square) == pytest.approx(
        0.5
    )  # 1e-5 / (1e-5 + epsilon)


def test_batch_norm_lets_gradients_alone() -> None:
    """Yang et al. 2019: each batch norm between ReLUs multiplies them by pi / (pi - 1)."""
    layers = [
        each
        for i, layer in enumerate(dense(20, 64))
        for each in (layer, norm("batch_norm", 64, f"norm{i}"))
    ]
    found = theory(recipe_of(layers))["ln_gradient"]
    steps = -np.diff(found)[1:]
    assert steps == pytest.approx([math.log(math.pi / (math.pi - 1))] * 18, abs=1e-4)


def test_zero_kernel_but_its_centre_is_taken_for_a_full_one() -> None:
    for init in ("dirac", "delta_orthogonal"):
        found = theory(recipe_of(conv(3, 4), init), activation="linear", input={"size": [5, 5]})
        assert found["ln_q"] == pytest.approx([0, 0, 0], abs=1e-12)
        assert found["ln_gradient"] == pytest.approx([0, 0, 0], abs=1e-12)


@pytest.mark.parametrize(
    ("init", "activation", "scale", "reliable"),
    [
        ("kaiming_normal", "relu", 1, True),
        ("xavier_normal", "relu", 1, True),
        ("xavier_normal", "tanh", 1, True),
        ({"scheme": "xavier", "gain": 5 / 3}, "tanh", 1, True),
        ({"scheme": "critical", "nonlinearity": "gelu"}, "gelu", 1, False),
        ("kaiming_normal", "gelu", 1, False),
        ("kaiming_normal", "silu", 1, False),
        ("ones", "tanh", 1, False),
        ({"scheme": "uniform", "low": 0, "high": 0.1}, "relu", 1, False),
        ("identity", "relu", 1, False),
    ],
)
def test_theory_calls_itself_reliable_where_it_is_not(
    init: Any, activation: str, scale: float, reliable: bool
) -> None:
    """Without biases, the variance under GELU and SiLU moves away from its unstable fixed point."""
    found = theory(recipe_of(dense(50, 64), init), activation=activation, residual_scale=scale)
    assert found["reliable"] is reliable
    if activation == "relu" and init == "kaiming_normal":
        branches = recipe_of(dense(50, 64, branch=[1, 1]))
        assert theory(branches, residual_scale=50**-0.5)["reliable"]


def test_chain_is_longer_than_its_curves() -> None:
    layers = [norm("layer_norm", 8, "first"), *dense(2, 8), norm("rms_norm", 8)]
    found = analysed(recipe_of(layers))
    curves = {n: v for n, v in found["curves"][0]["theory"].items() if isinstance(v, list)}
    assert {len(values) for values in curves.values()} == {2} == {len(found["layers"])}


def test_ends_are_not_where_theory_and_measurement_look() -> None:
    made, _ = chain(recipe_of([norm("rms_norm", 8, "a"), *dense(2, 8), norm("rms_norm", 8, "b")]))
    assert isinstance(made, Chain)
    assert made.ends == [1, 3]
