"""Orthogonal matrices beside NumPy's QR, on all cores."""

import statistics
from collections.abc import Iterator
from functools import partial

import numpy as np

import service
from benchmarks.measure import Row, in_turn, seconds, speedup


def rows() -> Iterator[Row]:
    """Yield a row a size."""
    for side, rounds in ((1024, 9), (2048, 5), (4096, 3)):
        matrix = np.random.default_rng(1).standard_normal((side, side))
        ours, theirs = in_turn(
            partial(seconds, partial(_file, side)),
            partial(seconds, partial(np.linalg.qr, matrix)),
            rounds=rounds,
        )
        ratio = 1 / speedup(ours, theirs)
        yield Row(
            f"orthogonal {side} x {side}, the whole file", f"{statistics.median(ours):.2f} s",
            f"numpy.linalg.qr alone {statistics.median(theirs):.2f} s", f"{ratio:.2f}",
            "<= 1" if side == 4096 else "", ratio <= 1 if side == 4096 else None,
        )  # fmt: skip


def _file(side: int) -> None:
    init = {"scheme": "orthogonal"}
    tensor = {"name": "w", "shape": [side, side], "init": init}
    plan = service.compile(service.parse({"seed": 1, "dtype": "F64", "tensors": [tensor]}))
    for _ in service.stream(plan):
        pass
