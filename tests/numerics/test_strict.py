"""The reference runs with an array namespace that is not NumPy and takes nothing of NumPy's."""

import json
from typing import Any

import numpy as np
import pytest

from service.backends.numpy import NumpyBackend
from service.catalogue.distributions import DISTRIBUTIONS
from service.numerics.reflections import PlainReflections
from tests.golden.test_golden import rows
from tests.numerics.strict import Strict, namespace
from tests.support import bytes_of, plan_of


class OnHost:
    """Reflections of arrays that are elsewhere, as `PlainReflections` makes them."""

    def __init__(self) -> None:
        self._plain = PlainReflections()

    def reflectors(self, strip: Any, width: int) -> tuple[Any, Any]:
        t, signs = self._plain.reflectors(strip.on_host, width)
        return Strict(t), Strict(signs)

    def reflect(self, v: Any, t: Any, width: int, strips: Any, *, transposed: bool) -> None:
        arguments = (v.on_host, t.on_host, width, strips.on_host)
        self._plain.reflect(*arguments, transposed=transposed)


def test_reference_calls_what_only_numpy_has() -> None:
    backend, laws = NumpyBackend(OnHost(), namespace()), set()
    for source, expected in rows("data"):
        plan = plan_of(source)
        made = bytes_of(plan, (len(plan.header), plan.nbytes), backend)
        assert made.hex() == expected, json.loads(source)
        laws |= {region.law.name for tensor in plan.tensors for region in tensor.source.regions}
    assert laws == set(DISTRIBUTIONS)


def test_strict_array_lets_numpy_in_or_out() -> None:
    array = namespace().zeros(3)
    for mistake in (
        lambda: np.asarray(array),
        lambda: array + np.zeros(3),
        lambda: np.zeros(3) + array,
        lambda: array[np.array([0])],
        lambda: namespace().where(np.ones(3, bool), array, array),
    ):
        with pytest.raises(TypeError):
            mistake()
    with pytest.raises(AttributeError):
        namespace().einsum("i->", array)
