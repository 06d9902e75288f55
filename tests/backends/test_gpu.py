"""A real GPU gives the same bits as the CPU; skipped without a GPU."""

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from service.backends import kernel
from service.backends.cupy import CupyBackend
from service.errors import BackendUnavailable
from service.numerics.memo import Memo
from service.stream.pipeline import Pipeline
from tests.golden.test_golden import rows
from tests.native.cases import recipes
from tests.support import bytes_of, drawn_of, plan_of, recipe_of, tensor

pytestmark = pytest.mark.gpu


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> CupyBackend:
    """A backend that computes everything on the GPU, even if it is small."""
    monkeypatch.setattr("service.backends.cupy._MIN_GPU_BYTES", 1)
    monkeypatch.setattr("service.backends.cupy._MIN_MATRIX_SIDE", 1)
    try:
        return CupyBackend(kernel())
    except BackendUnavailable as reason:
        pytest.skip(str(reason))


def test_golden_row_has_other_bits(gpu: CupyBackend) -> None:
    for source, expected in rows("data"):
        plan = plan_of(source)
        assert bytes_of(plan, (len(plan.header), plan.nbytes), gpu).hex() == expected, source
    assert gpu.fallbacks == 0


def test_random_cut_has_other_bits(gpu: CupyBackend) -> None:
    dice = random.Random(5)
    for recipe in recipes(10_000, seed=11):
        (planned,) = plan_of(recipe).tensors
        size, elements = planned.dtype.size, planned.elements
        first = dice.randrange(elements) if elements else 0
        count = min(elements - first, dice.choice([1, 2, 3, 5, 64, 1000, 100_000]))
        drawn = drawn_of(planned)
        out, expected = (np.empty(count * size + 1, np.uint8)[1:] for _ in range(2))
        gpu.fill(drawn, first, out, Memo())
        kernel().fill(drawn, first, expected, Memo())
        assert out.tobytes() == expected.tobytes(), (recipe, first, count)
    assert gpu.fallbacks == 0


@pytest.mark.parametrize("shape", [[40, 40], [33, 70], [1000, 300], [300, 1000], [2048, 2048]])
def test_orthonormal_matrix_has_other_bits(gpu: CupyBackend, shape: list[int]) -> None:
    plan = plan_of(recipe_of(tensor("orthogonal", shape, dtype="F64"), seed=4))
    assert bytes_of(plan, backend=gpu) == bytes_of(plan)
    assert gpu.fallbacks == 0


def test_full_memory_ends_or_changes_a_body(gpu: CupyBackend) -> None:
    import cupy

    plan = plan_of(recipe_of(tensor("orthogonal", [2048, 2048], dtype="F64"), seed=4))
    expected = bytes_of(plan)
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    pool.set_limit(size=8 << 20)
    try:
        assert bytes_of(plan, backend=gpu) == expected
        assert gpu.fallbacks > 0
    finally:
        pool.set_limit(size=0)


def test_bodies_at_once_share_a_buffer(gpu: CupyBackend) -> None:
    plans = [plan_of(recipe_of(tensor(shape=[16 << 20]), seed=seed)) for seed in range(6)]
    pipeline = Pipeline(4, backend=gpu)
    with ThreadPoolExecutor(6) as pool:
        bodies = list(pool.map(lambda plan: b"".join(pipeline.chunks(plan)), plans))
    assert bodies == [bytes_of(plan) for plan in plans]
    assert gpu.fallbacks == 0
