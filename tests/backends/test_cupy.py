"""The GPU backend without a GPU: a fake CuPy runs its kernels on the CPU."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from service.backends import backend, kernel
from service.backends.cupy import CupyBackend
from service.errors import BackendUnavailable
from service.numerics.memo import Memo
from service.stream.pipeline import Pipeline
from tests.backends import fake_cupy
from tests.backends.fake_cupy import FakeCupy
from tests.golden.test_golden import rows
from tests.native.cases import recipes
from tests.support import bytes_of, drawn_of, plan_of, recipe_of, tensor

FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
NORMAL = {"scheme": "normal", "std": 0.02}
LARGE = recipe_of(tensor(NORMAL, [700, 1001]), seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if fake_cupy.compiler() is None:
        pytest.skip("there is no C++ compiler")
    return tmp_path_factory.mktemp("cuda")


@pytest.fixture
def cupy(folder: Path) -> FakeCupy:
    return FakeCupy(folder)


@pytest.fixture
def gpu(cupy: FakeCupy, monkeypatch: pytest.MonkeyPatch) -> CupyBackend:
    """A backend that computes everything on the GPU, even if it is small."""
    monkeypatch.setattr("service.backends.cupy._MIN_GPU_BYTES", 1)
    monkeypatch.setattr("service.backends.cupy._MIN_MATRIX_SIDE", 1)
    return CupyBackend(kernel(), cupy)


def test_golden_row_has_other_bits(gpu: CupyBackend, cupy: FakeCupy) -> None:
    for source, expected in rows("data"):
        plan = plan_of(source)
        span = (len(plan.header), plan.nbytes)
        assert bytes_of(plan, span, gpu).hex() == expected, source
    assert gpu.fallbacks == 0
    assert {"reflect", "reflectors"} <= set(cupy.launched)
    drawn = {
        f"{law}_{dtype}" for law in ("normal", "uniform", "truncated_normal") for dtype in FLOATS
    }
    assert drawn <= set(cupy.launched)


def test_random_cut_has_other_bits(gpu: CupyBackend, cupy: FakeCupy) -> None:
    dice = random.Random(5)
    for recipe in recipes(400, seed=9):
        (planned,) = plan_of(recipe).tensors
        size, elements = planned.dtype.size, planned.elements
        first = dice.randrange(elements) if elements else 0
        count = min(elements - first, dice.choice([1, 2, 3, 5, 64, 1000, 5000]))
        drawn = drawn_of(planned)
        out, expected = (np.empty(count * size + 1, np.uint8)[1:] for _ in range(2))
        gpu.fill(drawn, first, out, Memo())
        kernel("numpy").fill(drawn, first, expected, Memo())
        assert out.tobytes() == expected.tobytes(), (recipe, first, count)
    assert gpu.fallbacks == 0
    assert len(cupy.launched) > 200


@pytest.mark.parametrize("shape", [[40, 40], [70, 33], [33, 70], [1, 5], [5, 1], [96, 64]])
def test_orthonormal_matrix_has_other_bits(gpu: CupyBackend, shape: list[int]) -> None:
    for dtype in ("F64", "F32", "BF16"):
        plan = plan_of(recipe_of(tensor("orthogonal", shape, dtype=dtype), seed=4))
        assert bytes_of(plan, backend=gpu) == bytes_of(plan, backend=kernel("numpy"))
    assert gpu.fallbacks == 0


def test_matrix_of_the_gpu_is_taken_by_the_cpu(gpu: CupyBackend, cupy: FakeCupy) -> None:
    """A GPU computes the first chunks of a file, and the CPU computes the rest."""
    plan = plan_of(recipe_of(tensor("orthogonal", [64, 64]), seed=4))
    expected = bytes_of(plan, backend=kernel("numpy"))
    half = len(plan.header) + 64 * 32 * 4
    first = bytes_of(plan, (0, half), gpu)
    with fake_cupy.broken(cupy, "gone"):
        rest = bytes_of(plan, (half, plan.nbytes), CupyBackend(kernel(), cupy))
    assert first + rest == expected


@pytest.mark.parametrize("how", ["full", "gone"])
def test_gpu_that_fails_ends_or_changes_a_body(
    cupy: FakeCupy, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    plan = plan_of(LARGE)
    expected = bytes_of(plan)
    on_gpu = CupyBackend(kernel(), cupy)
    now = [100.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("service.backends.cupy.time", clock)
    with fake_cupy.broken(cupy, how):
        assert b"".join(Pipeline(2, backend=on_gpu).chunks(plan)) == expected
        assert 0 < on_gpu.fallbacks <= 2  # one for each of two threads, then the GPU is not used
    now[0] += 60
    before = on_gpu.fallbacks
    assert b"".join(Pipeline(2, backend=on_gpu).chunks(plan)) == expected  # the GPU is used again
    assert on_gpu.fallbacks == before
    assert cupy.launched


def test_bodies_at_once_share_a_buffer(folder: Path) -> None:
    cupy = FakeCupy(folder, devices=3)
    on_gpu = CupyBackend(kernel(), cupy)
    plans = [plan_of(LARGE | {"seed": seed}) for seed in range(6)]
    pipeline = Pipeline(4, backend=on_gpu)
    with ThreadPoolExecutor(6) as pool:
        bodies = list(pool.map(lambda plan: b"".join(pipeline.chunks(plan)), plans))
    assert bodies == [bytes_of(plan) for plan in plans]
    assert on_gpu.fallbacks == 0
    assert cupy.copied > 6 * 700 * 1001 * 3


def test_small_tensor_is_launched(cupy: FakeCupy) -> None:
    on_gpu = CupyBackend(kernel(), cupy)
    plan = plan_of(recipe_of(tensor(NORMAL, [100, 100])))
    assert bytes_of(plan, backend=on_gpu) == bytes_of(plan)
    assert not cupy.launched


def test_many_short_runs_are_launched(cupy: FakeCupy) -> None:
    on_gpu = CupyBackend(kernel(), cupy)
    plan = plan_of(recipe_of(tensor(NORMAL, [3000, 200], slice=[None, [3, 150]])))
    assert bytes_of(plan, backend=on_gpu) == bytes_of(plan)
    assert not cupy.launched


def test_long_runs_of_parts_are_not_launched(cupy: FakeCupy) -> None:
    parts = {
        "axis": 0,
        "of": [{"size": 100, "init": "zeros"}, {"size": 301}, {"size": 300, "init": "ones"}],
    }
    plan = plan_of(recipe_of(tensor(NORMAL, [701, 999], parts=parts)))
    assert bytes_of(plan, backend=CupyBackend(kernel(), cupy)) == bytes_of(plan)
    assert set(cupy.launched) == {"normal_F32"}


def test_machine_without_a_gpu_is_said_to_have_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackendUnavailable, match="finds no GPU"):
        CupyBackend(kernel(), FakeCupy(folder, devices=0))
    mute = FakeCupy(folder)
    with fake_cupy.broken(mute, "mute"), pytest.raises(BackendUnavailable, match="cannot compile"):
        CupyBackend(kernel(), mute)
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    with pytest.raises(BackendUnavailable, match=r"tensorseed\[cuda12\]"):
        backend("cupy")
    assert backend("auto").name != "cupy"
    assert backend("numpy", "numpy").name == "numpy"
