"""Householder reflections in C. Each core works on one strip at a time."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from service import native
from service.numerics.array import Array
from service.numerics.reflections import STRIP

_MIN_PARALLEL_ELEMENTS = 1 << 16
"""The fewest elements for which threads save more time than they cost."""


class NativeReflections:
    """Householder reflections with the compiled kernel.

    Args:
        path: Index in `native.PATHS`.
        threads: Number of threads; the number of cores if left out.
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

        def reflect_strip(strip: Array) -> None:
            native.reflect(self._path, width, transposed, v, t, strip)

        if self._threads == 1 or strips.size < _MIN_PARALLEL_ELEMENTS:
            for strip in strips:
                reflect_strip(strip)
            return
        for _ in _thread_pool(self._threads).map(reflect_strip, strips):
            pass


@lru_cache(maxsize=4)
def _thread_pool(threads: int) -> ThreadPoolExecutor:
    """Return the thread pool that all matrices share. A forked process creates its own."""
    return ThreadPoolExecutor(threads, thread_name_prefix="tensorseed-matrix")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_thread_pool.cache_clear)
