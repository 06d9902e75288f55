"""Pieces of blocks to compare kernels on: every dtype, law, cut and offset, from a fixed seed."""

import random
from typing import Any, NamedTuple

import numpy as np

from service.backends import KERNELS
from service.backends.native import program
from service.numerics.cast import DTYPES
from service.numerics.memo import Memo
from service.sources import Drawn
from tests.golden.test_golden import rows
from tests.support import drawn_of, plan_of, recipe_of, tensor

EDGE = 1 << 34  # elements there take counters whose second word differs

_LAWS: list[dict[str, Any]] = [
    {"scheme": "normal", "std": 0.02},
    {"scheme": "normal", "std": 1.5, "mean": -0.75},
    {"scheme": "normal", "std": 3e-7},
    {"scheme": "uniform", "low": -0.05, "high": 0.05},
    {"scheme": "uniform", "low": 0.1, "high": 1.7},
    {"scheme": "truncated_normal", "std": 0.02},
    {"scheme": "truncated_normal", "std": 1, "bounds": [0.5, 6.34]},
    {"scheme": "truncated_normal", "std": 1, "bounds": [-7, 7]},
    {"scheme": "constant", "value": 0.3},
    {"scheme": "zeros"},
]


class Case(NamedTuple):
    """Elements of a block from ``first`` on, and what they are."""

    drawn: Drawn
    first: int
    skew: int
    expected: bytes


def filled(kernel: str, drawn: Drawn, first: int, nbytes: int, skew: int = 0) -> bytes:
    """Return a kernel's bytes, computed in a buffer that is misaligned by ``skew`` bytes."""
    out = np.empty(nbytes + skew + 8, dtype=np.uint8)
    out = out[-out.ctypes.data % 8 + skew :][:nbytes]
    KERNELS[kernel].fill(drawn, first, out, Memo())
    return out.tobytes()


def recipes(count: int, seed: int) -> list[dict[str, Any]]:
    """Return so many recipes of one tensor each."""
    dice = random.Random(seed)
    return [recipe_of(_tensor(dice), seed=str(dice.getrandbits(64))) for _ in range(count)]


def cases(count: int, seed: int) -> list[Case]:
    """Return so many cases, with what NumPy gives."""
    dice = random.Random(seed)
    made = []
    for recipe in recipes(count, seed):
        (planned,) = plan_of(recipe).tensors
        first = dice.randrange(planned.elements)
        elements = dice.randint(1, min(3000, planned.elements - first))
        nbytes, skew = elements * planned.dtype.size, dice.choice([0, 0, 1, 4])
        drawn = drawn_of(planned)
        made.append(Case(drawn, first, skew, filled("numpy", drawn, first, nbytes)))
    return made


def golden_cases() -> list[Case]:
    """Return the tensors of the golden file's rows of data, which the kernel has laws for."""
    made = []
    for source, data in rows("data"):
        plan = plan_of(source)
        for planned in plan.tensors:
            drawn = planned.source
            if planned.elements and isinstance(drawn, Drawn) and program(drawn):
                expected = bytes.fromhex(data)[planned.begin : planned.end]
                made.append(Case(drawn, 0, 0, expected))
    return made


def _tensor(dice: random.Random) -> dict[str, Any]:
    dtype = dice.choice(sorted(DTYPES))
    rank = dice.randint(0, 4)
    shape = [dice.choice([1, 2, 3, 7, 16, 61]) for _ in range(rank)]
    members: dict[str, Any] = {"dtype": dtype}
    far = rank > 0 and dice.random() < 0.2
    if far:  # a few elements on both sides of an edge
        shape[-1] = 4 * EDGE
    cuts = []
    for size in shape:
        start = dice.randrange(size)
        cuts.append(dice.choice([[start, dice.randint(start + 1, size)], [0, size]]))
    if far:
        cuts[-1] = [EDGE - dice.randint(1, 40), EDGE + dice.randint(1, 40)]
    members["slice"] = cuts
    law = {"scheme": "constant", "value": 5} if dtype == "I64" else dice.choice(_LAWS)
    if rank and dtype != "I64" and dice.random() < 0.4:
        axis = dice.randrange(rank)
        start, rest = dice.randint(0, shape[axis]), dice.choice(_LAWS)
        sizes = [start, 0, shape[axis] - start]
        parts = [{"size": n, "init": init} for n, init in zip(sizes, (law, law, rest), strict=True)]
        members["parts"] = {"axis": axis, "of": parts}
    return tensor(law, shape, "w", **members)
