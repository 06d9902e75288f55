"""Schemes whose elements are more than draws on their own, against their definitions."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.linalg import hadamard

from service.catalogue.schemes import SCHEMES
from tests.support import data_of, problems_of, recipe_of, tensor

_CONV = (8, 4, 3, 3)


def values(init: Any, shape: tuple[int, ...], **members: Any) -> np.ndarray:
    recipe = recipe_of(tensor(init, shape, **members), seed=1, dtype="F64")
    held = [
        stop - start
        for start, stop in (
            cut or (0, size)
            for cut, size in zip(members.get("slice", [None] * len(shape)), shape, strict=True)
        )
    ]
    return np.frombuffer(data_of(recipe)).reshape(held)


@pytest.mark.parametrize("sparsity", [0.0, 0.07, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_sparse_line_has_another_number_of_zeros(sparsity: float, axis: int) -> None:
    """0.07 * 100 is 7.000000000000001 in float64, and torch too makes 8 zeros of it."""
    w = values({"scheme": "sparse", "sparsity": sparsity, "axis": axis}, (100, 100))
    assert ((w == 0).sum(axis) == math.ceil(sparsity * 100)).all()
    if sparsity < 1:
        assert w[w != 0].std() == pytest.approx(0.01, rel=0.05)


def test_sparse_zeros_are_not_spread_evenly() -> None:
    w = values({"scheme": "sparse", "sparsity": 0.25}, (64, 4096))
    rows = (w == 0).mean(axis=1)
    assert np.abs(rows - 0.25).max() < 5 * math.sqrt(0.25 * 0.75 / 4096)


def test_torch_makes_another_number_of_zeros() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: make test-full")
    for sparsity in (0.07, 0.1, 0.33):
        theirs = torch.nn.init.sparse_(torch.empty(100, 5), sparsity).numpy()
        ours = values({"scheme": "sparse", "sparsity": sparsity}, (100, 5))
        assert ((theirs == 0).sum(0) == (ours == 0).sum(0)).all()


def test_sparse_slice_is_not_the_whole_ones_cut() -> None:
    init = {"scheme": "sparse", "sparsity": 0.3, "axis": 1}
    whole = values(init, (20, 50, 3))
    assert (values(init, (20, 50, 3), slice=[[3, 9], [10, 31], None]) == whole[3:9, 10:31]).all()


def test_bernoulli_chance_is_another() -> None:
    w = values({"scheme": "sparse", "sparsity": 0.2, "count": "bernoulli"}, (200, 500))
    assert (w == 0).mean() == pytest.approx(0.2, abs=5 * math.sqrt(0.16 / 1e5))


def test_zeros_and_values_are_drawn_from_one_stream() -> None:
    dense = values({"scheme": "normal", "std": 0.01}, (50, 50))
    w = values({"scheme": "sparse", "sparsity": 0.5}, (50, 50))
    kept = w != 0
    assert (w[kept] == dense[kept]).all()
    assert abs(np.abs(dense[kept]).mean() / np.abs(dense).mean() - 1) < 0.1


def test_rows_of_positive_unitball_do_not_sum_to_one() -> None:
    w = values("positive_unitball", (6, 5, 4))
    assert (w > 0).all()
    assert np.abs(w.reshape(6, -1).sum(1) - 1).max() < 1e-12
    part = values("positive_unitball", (6, 5, 4), slice=[[2, 4], None, [1, 3]])
    assert (part == w[2:4, :, 1:3]).all()


def test_positive_unitball_is_not_uniform_over_its_sum() -> None:
    w = values("positive_unitball", (50, 2000))
    u = values({"scheme": "uniform", "low": 0, "high": 1}, (50, 2000))
    assert np.abs(w - u / u.sum(1, keepdims=True)).max() < 1e-15


@pytest.mark.parametrize(
    ("variant", "k"), [(v, k) for v in ("caffe", "mxnet") for k in range(1, 9)]
)
def test_bilinear_is_not_the_framework_formula(variant: str, k: int) -> None:
    f = math.ceil(k / 2)
    c = (k - 1) / (2 * f) if variant == "caffe" else (2 * f - 1 - f % 2) / (2 * f)
    side = np.array([1 - abs(x / f - c) for x in range(k)])
    w = values({"scheme": "bilinear", "variant": variant}, (2, 3, k, k))
    assert np.abs(w - side[:, None] * side).max() < 1e-14


@pytest.mark.parametrize("first", [True, False])
def test_siren_bound_is_another(first: bool) -> None:
    w = values({"scheme": "siren", "first": first, "w0": 20}, (300, 100))
    bound = 1 / 100 if first else math.sqrt(6 / 100) / 20
    assert bound * 0.999 < np.abs(w).max() <= bound


@pytest.mark.parametrize(("outputs", "inputs"), [(3, 7), (7, 7), (10, 4)])
def test_spectral_norm_depends_on_the_width(outputs: int, inputs: int) -> None:
    w = values("spectral_mup", (outputs * 100, inputs * 100))
    std = min(1, math.sqrt(outputs / inputs)) / math.sqrt(inputs * 100)
    assert w.std() == pytest.approx(std, rel=0.01)


@pytest.mark.parametrize(("outputs", "inputs"), [(8, 4), (9, 5), (100, 64), (4, 9)])
def test_zero_is_not_the_hadamard_construction(outputs: int, inputs: int) -> None:
    p = 2 ** math.ceil(math.log2(outputs))
    expected = np.eye(outputs, inputs)
    if outputs > inputs:
        expected = np.eye(outputs, p) @ (hadamard(p) / 2 ** (math.log2(p) / 2)) @ np.eye(p, inputs)
    assert np.abs(values("zero", (outputs, inputs)) - expected).max() < 1e-15
    conv = values("zero", (outputs, inputs, 3, 3))
    assert np.abs(conv[:, :, 1, 1] - expected).max() < 1e-15
    assert (np.delete(conv.reshape(outputs, inputs, 9), 4, 2) == 0).all()


def test_zero_of_the_paper_is_not_sqrt_2_larger() -> None:
    code, paper = values("zero", (5, 3)), values({"scheme": "zero", "scale": "paper"}, (5, 3))
    assert np.abs(paper / code - math.sqrt(2)).max() < 1e-15


def test_delta_orthogonal_leaves_the_centre_or_is_not_orthogonal() -> None:
    w = values("delta_orthogonal", _CONV)
    centre = w[:, :, 1, 1]
    assert np.abs(centre.T @ centre - np.eye(4)).max() < 1e-14
    assert (np.delete(w.reshape(8, 4, 9), 4, 2) == 0).all()


def test_jax_has_another_delta_orthogonal() -> None:
    jax = pytest.importorskip("jax", reason="jax is not installed: make test-full")
    theirs = np.asarray(
        jax.nn.initializers.delta_orthogonal()(jax.random.key(0), (3, 3, 4, 8)), dtype=float
    )
    ours = values("delta_orthogonal", (3, 3, 4, 8), layout="HWIO")
    assert ((theirs == 0) == (ours == 0)).all()
    for w in (theirs, ours):
        assert np.abs(w[1, 1] @ w[1, 1].T - np.eye(4)).max() < 1e-5


def test_forget_gate_is_elsewhere() -> None:
    assert values("lstm_forget", (12,)).tolist() == [0.0] * 3 + [1.0] * 3 + [0.0] * 6


@pytest.mark.parametrize("t_max", [2.5, 784, 1e6])
def test_chrono_is_not_the_nearest_logarithm(t_max: float) -> None:
    b = values({"scheme": "chrono", "t_max": t_max}, (4 * 500,)).reshape(4, 500)
    u = values({"scheme": "uniform", "low": 1, "high": t_max - 1}, (4 * 500,)).reshape(4, 500)
    assert (b[0] == -b[1]).all()
    assert (b[2:] == 0).all()
    assert not np.signbit(b[2:]).any()
    expected = [float(mpmath.log(mpmath.mpf(x))) for x in u[1].tolist()]
    assert np.abs(b[1] - expected).max() < 1e-9
    assert (b[1] >= 0).all()
    assert b[1].max() <= math.log(t_max - 1)


def test_sinusoid_is_not_the_nearest_float() -> None:
    rows, width = 1500, 64
    table = values("sinusoidal", (rows, width))
    with mpmath.workdps(50):
        for p, i in [(0, 0), (1, 0), (1499, 31), (777, 5), (1234, 17), (31, 30)]:
            w = mpmath.mpf(10000) ** (-mpmath.mpf(i) / 31)
            assert table[p, i] == float(mpmath.sin(p * w))
            assert table[p, 32 + i] == float(mpmath.cos(p * w))
    angles = np.arange(rows)[:, None] * np.exp(-math.log(10000) * np.arange(32) / 31)
    assert np.abs(table - np.hstack([np.sin(angles), np.cos(angles)])).max() < 1e-6


@pytest.mark.parametrize(
    ("init", "shape", "said"),
    [
        ({"scheme": "sparse", "sparsity": 0.5, "axis": 2}, (3, 3), "another axis"),
        ({"scheme": "sparse", "sparsity": 1.5}, (3, 3), "less than or equal to 1"),
        ("bilinear", (2, 2, 3, 4), "square kernel"),
        ("bilinear", (3, 3), "4 axes"),
        ("positive_unitball", (), "has no axis"),
        ("siren", (3, 0), "fan_in is 0"),
        ({"scheme": "critical", "negative_slope": 0.1}, (3, 3), "belongs to leaky_relu"),
        ("zero", (3,), "one axis of outputs"),
        ("lstm_forget", (10,), "4 equal parts"),
        ({"scheme": "chrono", "t_max": 2}, (8,), "greater than 2"),
        ({"scheme": "chrono", "t_max": 9, "gates": "igo"}, (9,), "each of f, i once"),
        ("sinusoidal", (3, 5), "even number"),
        ("orthogonal", (3,), "outputs and inputs"),
        ("orthogonal", (0, 3), "at least one of each"),
        ("delta_orthogonal", (3, 3), "use orthogonal"),
        ("delta_orthogonal", (3, 4, 3), "at least as many outputs"),
        ("orthogonal", (9000, 2), "max_orthogonal_side"),
        ({"scheme": "sparse", "sparsity": 0.5}, (2**14, 2**13), "max_whole_elements"),
        ("positive_unitball", (2, 2**26), "max_whole_elements"),
        ({"scheme": "chrono", "t_max": 9}, (2**23,), "max_chrono_elements"),
        ("sinusoidal", (2**20, 8), "max_sinusoidal_elements"),
    ],
    ids=str,
)
def test_impossible_request_is_taken(init: Any, shape: tuple[int, ...], said: str) -> None:
    assert said in " ".join(problems_of(recipe_of(tensor(init, shape))).values())


def test_moments_are_not_those_of_the_values() -> None:
    from tests.support import plan_of

    shapes: dict[str, tuple[Any, tuple[int, ...]]] = {
        "orthogonal": ("orthogonal", (300, 200)),
        "delta_orthogonal": ("delta_orthogonal", (64, 32, 3, 3)),
        "sparse": ({"scheme": "sparse", "sparsity": 0.3, "mean": 0.02}, (300, 200)),
        "bilinear": ("bilinear", (2, 2, 5, 5)),
        "positive_unitball": ("positive_unitball", (30, 500)),
        "siren": ("siren", (300, 200)),
        "critical": ({"scheme": "critical", "nonlinearity": "silu"}, (300, 200)),
        "spectral_mup": ("spectral_mup", (300, 200)),
        "zero": ("zero", (64, 63)),
        "lstm_forget": ("lstm_forget", (400,)),
        "chrono": ({"scheme": "chrono", "t_max": 100}, (40_000,)),
        "sinusoidal": ("sinusoidal", (2000, 16)),
    }
    plain = "zeros ones constant uniform normal truncated_normal variance_scaling xavier kaiming"
    others = "lecun caffe_xavier msra tf_variance_scaling identity dirac"
    assert shapes.keys() | {*plain.split(), *others.split()} == set(SCHEMES)
    for name, (init, shape) in shapes.items():
        recipe = recipe_of(tensor(init, shape), seed=1, dtype="F64")
        law = plan_of(recipe).tensors[0].source.regions[0].law
        w = values(init, shape)
        mean, std = law.moments
        low, high = law.extremes
        assert w.mean() == pytest.approx(mean, abs=0.02 * (std + abs(mean))), name
        assert w.std() == pytest.approx(std, rel=0.06), name
        assert low <= w.min() <= w.max() <= high, name
