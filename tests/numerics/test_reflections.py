"""Orthonormal matrices: the page's pseudocode in plain floats, and every way to compute them."""

import hashlib
import math
import os
import re
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service import native
from service.backends import KERNELS
from service.backends.reflections import NativeReflections
from service.numerics.keys import stream_of
from service.numerics.philox import words_of_run
from service.numerics.quantile import UNIT, variate
from service.numerics.reflections import STRIP, PlainReflections, Reflections, orthonormal
from tests.support import ROOT, data_of, plan_of, recipe_of, tensor

Matrix = list[list[float]]
SHAPES = [(3, 5), (5, 3), (33, 70), (130, 64)]
WAYS: dict[str, Reflections] = {
    "numpy": PlainReflections(),
    **{
        f"{name}, {threads} threads": NativeReflections(index, threads)
        for index, name in enumerate(native.PATHS)
        for threads in (1, 2)
    },
}


def reflect(  # noqa: PLR0913 - as the page has it
    m: Matrix, c: int, k: int, v: Matrix, s: Matrix, *, lower: bool
) -> None:
    b, rows = len(v[0]), len(v)
    w, u = [0.0] * b, [0.0] * b
    for p in range(b):
        for i in range(rows):
            w[p] = w[p] + v[i][p] * m[k + i][c]
    for p in range(b):
        for q in range(p + 1) if lower else range(p, b):
            u[p] = u[p] + (s[q][p] if lower else s[p][q]) * w[q]
    for i in range(rows):
        for p in range(b):
            m[k + i][c] = m[k + i][c] - v[i][p] * u[p]


def column(a: Matrix, j: int, end: int, m: int) -> tuple[float, float]:
    s = 0.0
    for i in range(j, m):
        s = s + a[i][j] * a[i][j]
    alpha, r = a[j][j], math.sqrt(s)
    beta = r if alpha < 0 else -r
    a[j][j], tau = 1.0, 0.0
    if r != 0:
        tau = (beta - alpha) / beta
        for i in range(j + 1, m):
            a[i][j] = a[i][j] / (alpha - beta)
    for c in range(j + 1, end):
        w = 0.0
        for i in range(j, m):
            w = w + a[i][j] * a[i][c]
        w = w * tau
        for i in range(j, m):
            a[i][c] = a[i][c] - a[i][j] * w
    return tau, -1.0 if beta < 0 else 1.0


def triangle(v: Matrix, taus: Sequence[float]) -> Matrix:
    b = len(taus)
    t = [[taus[i] if i == j else 0.0 for j in range(b)] for i in range(b)]
    for j in range(1, b):
        for q in range(j):
            s = 0.0
            for p in range(q, j):
                g = 0.0
                for row in v:
                    g = g + row[p] * row[j]
                s = s + t[q][p] * g
            t[q][j] = -t[j][j] * s
    return t


def oracle(a: Matrix) -> Matrix:
    """docs/generator-v1.md, "Orthogonal", written once more."""
    m, n = len(a), len(a[0])
    blocks, signs = [], []
    for k in range(0, n, 32):
        b = min(32, n - k)
        found = [column(a, j, k + b, m) for j in range(k, k + b)]
        signs += [sign for _, sign in found]
        v = [[a[i][k + p] if i >= k + p else 0.0 for p in range(b)] for i in range(k, m)]
        t = triangle(v, [tau for tau, _ in found])
        for c in range(k + b, n):
            reflect(a, c, k, v, t, lower=True)
        blocks.append((k, v, t))
    q = [[1.0 if i == j else 0.0 for j in range(n)] for i in range(m)]
    for k, v, t in reversed(blocks):
        for c in range(k, n):
            reflect(q, c, k, v, t, lower=False)
    return [[x * sign for x, sign in zip(row, signs, strict=True)] for row in q]


def in_strips(a: np.ndarray) -> np.ndarray:
    rows, columns = a.shape
    strips = np.zeros((-(-columns // STRIP), rows, STRIP))
    for column in range(columns):
        strips[column // STRIP, :, column % STRIP] = a[:, column]
    return strips


def of_strips(strips: np.ndarray, columns: int) -> np.ndarray:
    return strips.transpose(1, 0, 2).reshape(strips.shape[1], -1)[:, :columns]


def computed(a: np.ndarray, way: Reflections) -> bytes:
    strips = in_strips(a)
    orthonormal(strips, a.shape[1], way)
    return of_strips(strips, a.shape[1]).tobytes()


def drawn(rows: int, columns: int) -> Matrix:
    words = words_of_run(np, stream_of(0, "w"), 0, rows * columns).tolist()
    values = [variate(word) * UNIT for word in words]
    return [values[r * columns : (r + 1) * columns] for r in range(rows)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_file_holds_another_matrix_than_the_pages_pseudocode(shape: tuple[int, int]) -> None:
    rows, columns = shape
    a = drawn(rows, columns)
    tall = a if rows >= columns else [list(row) for row in zip(*a, strict=True)]
    q = np.array(oracle(tall))
    expected = (q if rows >= columns else q.T).tobytes()
    page = (ROOT / "docs/generator-v1.md").read_text("utf-8")
    digest = hashlib.sha256(expected).hexdigest()
    assert f"| {rows} x {columns} | `{digest}` |" in page
    assert (
        data_of(recipe_of(tensor("orthogonal", shape, name="w"), seed=0, dtype="F64")) == expected
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (31, 31), (64, 33), (200, 97)], ids=str)
def test_a_way_gives_other_bits(shape: tuple[int, int], way: str) -> None:
    a = np.random.default_rng(1).standard_normal(shape)
    assert computed(a, WAYS[way]) == np.array(oracle(a.tolist())).tobytes()


@settings(max_examples=30, deadline=None)
@given(data=st.data(), columns=st.integers(1, 40), more=st.integers(0, 40))
def test_zero_or_repeated_columns_part_the_ways(
    data: st.DataObject, columns: int, more: int
) -> None:
    a = np.random.default_rng(2).standard_normal((columns + more, columns))
    for place in data.draw(st.lists(st.integers(0, columns - 1), max_size=4)):
        a[:, place] = data.draw(st.sampled_from([0.0, -0.0, 1.0])) * a[:, 0]
    results = {name: computed(a, way) for name, way in WAYS.items()}
    assert len(set(results.values())) == 1
    q = np.frombuffer(results["numpy"]).reshape(a.shape)
    assert np.abs(q.T @ q - np.eye(columns)).max() < 1e-12


def test_decomposition_is_not_numpys() -> None:
    a = np.random.default_rng(3).standard_normal((150, 90))
    q, r = np.linalg.qr(a)
    ours = np.frombuffer(computed(a, PlainReflections())).reshape(a.shape)
    assert np.abs(ours - q * np.sign(np.diag(r))).max() < 1e-12


def test_columns_of_a_large_matrix_are_not_orthonormal() -> None:
    data = data_of(recipe_of(tensor("orthogonal", (700, 1000)), dtype="F64"))
    q = np.frombuffer(data).reshape(700, 1000)
    assert np.abs(q @ q.T - np.eye(700)).max() <= 1e-12


_HASHED = """
import hashlib, sys, service
from service.backends import KERNELS
from service.stream.pipeline import Pipeline
recipe = {"seed": 5, "dtype": "F64", "tensors": [{"name": "w", "shape": [300, 210],
          "init": "orthogonal"}]}
plan = service.compile(service.parse(recipe))
with Pipeline(2, backend=KERNELS[sys.argv[1]]).chunks(plan) as chunks:
    print(hashlib.sha256(b"".join(chunks)).hexdigest())
"""


def test_bits_depend_on_the_blas_or_its_threads() -> None:
    cases = [(core, n) for core in ("Haswell", "SandyBridge") for n in ("1", "2")]
    found = set()
    for (core, threads), kernel in zip(cases, (list(KERNELS) * 4)[-4:], strict=True):
        env = {**os.environ, "OPENBLAS_CORETYPE": core, "OPENBLAS_NUM_THREADS": threads}
        run = [sys.executable, "-c", _HASHED, kernel]
        found.add(subprocess.run(run, env=env, capture_output=True, check=True, cwd=ROOT).stdout)
    assert len(found) == 1


def test_named_gain_is_not_its_square_root() -> None:
    plain = np.frombuffer(data_of(recipe_of(tensor("orthogonal", (8, 8)), dtype="F64")))
    init = {"scheme": "orthogonal", "gain": "relu"}
    scaled = np.frombuffer(data_of(recipe_of(tensor(init, (8, 8)), dtype="F64")))
    assert (scaled == plain * math.sqrt(2.0)).all()


def test_matrices_are_not_uniform_among_all() -> None:
    """Haar: the trace of an orthogonal matrix has mean 0 and variance 1; QR alone has neither."""
    recipe = recipe_of(tensor("orthogonal", (4000, 4, 4), layout="BOI"), dtype="F64")
    matrices = np.frombuffer(data_of(recipe)).reshape(4000, 4, 4)
    traces = matrices.trace(axis1=1, axis2=2)
    assert abs(traces.mean()) < 5 / math.sqrt(4000)
    assert abs(traces.var() - 1) < 5 * math.sqrt(2 / 4000)


def test_every_matrix_of_a_batch_has_its_own_draws() -> None:
    whole = np.frombuffer(
        data_of(recipe_of(tensor("orthogonal", (3, 5, 4), layout="BOI"), dtype="F64"))
    ).reshape(3, 5, 4)
    assert all(np.abs(m.T @ m - np.eye(4)).max() < 1e-14 for m in whole)
    assert not np.allclose(whole[0], whole[1])


def test_limit_on_the_side_is_not_said() -> None:
    from service.errors import InvalidRecipe

    with pytest.raises(InvalidRecipe, match=r"9000 rows or columns .* \(max_orthogonal_side\)"):
        plan_of(recipe_of(tensor("orthogonal", (9000, 3))))


def test_pseudocode_is_longer_than_forty_lines() -> None:
    page = (ROOT / "docs/generator-v1.md").read_text("utf-8")
    found = re.search(r"```\n(orthonormal\(A\):.*?)```", page, re.DOTALL)
    assert found
    assert len(found[1].splitlines()) <= 40
