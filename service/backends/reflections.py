"""Reflections in C, a strip at a time on every core."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from service import native
from service.numerics.array import Array
from service.numerics.reflections import STRIP

_SMALL = 1 << 16
"""Elements below which threads cost more than they save."""


class NativeReflections:
    """Householder reflections by the compiled kernel.

    Args:
        path: Index in `native.PATHS`.
        threads: How many compute at once; the cores if left out.
    """

    def __init__(self, path: int, threads: int | None = None) -> None:
        self._path = path
        self._threads = threads or os.cpu_count() or 1

    def reflectors(self, strip: Array, width: int) -> tuple[Array, Array]:
        """Turn the first ``width`` columns of a strip into reflectors, in place."""
        t, signs = np.zeros((STRIP, STRIP)), np.ones(STRIP)
        native.reflectors(self._path, width, strip, t.data, signs.data)
        return t, signs

    def reflect(self, v: Array, t: Array, width: int, strips: Array, *, transposed: bool) -> None:
        """Multiply strips by a block reflector, or by its transpose, in place."""

        def one(strip: Array) -> None:
            native.reflect(self._path, width, transposed, v, t, strip)

        if self._threads == 1 or strips.size < _SMALL:
            for strip in strips:
                one(strip)
            return
        for _ in _hands(self._threads).map(one, strips):
            pass


@lru_cache(maxsize=4)
def _hands(threads: int) -> ThreadPoolExecutor:
    """Return the threads of all matrices of this process; a forked one makes its own."""
    return ThreadPoolExecutor(threads, thread_name_prefix="tensorseed-matrix")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_hands.cache_clear)
