"""Check the normal quantile over all 2^32 words: monotone, odd, within its error, in every kernel.

``python -m tools.exhaustive``: some minutes. The truth is scipy's ndtri, whose relative error of
about 1e-15 is a millionth of a unit here.
"""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from service import native
from service.numerics.quantile import quantile, table_bytes

HALF = 1 << 31
STEP = 1 << 20
LOWEST, HIGHEST = -4.45, 1.71

Words = NDArray[np.uint64]
Variates = NDArray[np.int64]


class Found(NamedTuple):
    """What one stretch of words showed: violations, and the error's range in units of 2^-28."""

    decreasing: int
    not_odd: int
    differing: int
    lowest: float
    highest: float


def check(start: int) -> Found:
    """Check the words ``start`` to ``start + STEP`` of the lower half, and their mirror images."""
    words = np.arange(start, start + STEP, dtype=np.uint64)
    after = np.append(words[1:], words[-1] + np.uint64(1))
    lower, upper = quantile(np, words), quantile(np, 2 * HALF - 1 - words)
    # The word after the stretch belongs to the next one: borders are compared too.
    following = quantile(np, after)
    error = -lower - (-ndtri((2.0 * words + 1) / (4.0 * HALF)) * 2.0**28)
    return Found(
        int((following < lower).sum()),
        int((upper != -lower).sum()),
        sum(_differing(path, words, lower, upper) for path in range(len(native.PATHS))),
        float(error.min()),
        float(error.max()),
    )


def _differing(path: int, words: Words, lower: Variates, upper: Variates) -> int:
    """Count the words, and mirror images, whose variate a compiled kernel has otherwise."""
    both = np.concatenate([words, 2 * HALF - 1 - words]).astype(np.uint32)
    found = np.empty(len(both), dtype=np.float64)
    native.variates(path, table_bytes(), both.data, found.data)
    return int((found != np.concatenate([lower, upper])).sum())


def main() -> None:
    """Print what all stretches showed together; exit with status 1 if anything is violated."""
    started = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        parts = list(pool.map(check, range(0, HALF, STEP), chunksize=16))
    decreasing = sum(part.decreasing for part in parts)
    not_odd = sum(part.not_odd for part in parts)
    differing = sum(part.differing for part in parts)
    lowest, highest = min(part.lowest for part in parts), max(part.highest for part in parts)
    print(f"words            {2 * HALF}")
    print(f"decreasing       {decreasing}")
    print(f"not odd          {not_odd}")
    print(
        f"differing        {differing} in the kernels {', '.join(native.PATHS) or '(none built)'}"
    )
    print(f"error in 2^-28   {lowest:.3f} to {highest:.3f} (stated {LOWEST} to {HIGHEST})")
    print(f"seconds          {time.monotonic() - started:.0f}")
    raise SystemExit(
        bool(decreasing or not_odd or differing or lowest < LOWEST or highest > HIGHEST)
    )


if __name__ == "__main__":
    main()
