"""Memory that values are written to: reused as soon as nothing refers to it any more."""

import mmap
import threading
import weakref
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SMALLEST = 1 << 16
"""Bytes of the smallest block."""

_KEPT = 4
"""Free blocks of each size that are kept; further ones are returned to the system at once."""

# Private, so that a forked process does not share its parent's chunks.
_PRIVATE = (
    {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_ANONYMOUS") else {}
)


def pages(nbytes: int) -> NDArray[np.uint8]:
    """Return fresh memory of the system: uint8, shape (nbytes,), at least one byte."""
    return np.frombuffer(mmap.mmap(-1, nbytes, **_PRIVATE), dtype=np.uint8)


class Buffers:
    """Blocks of memory for all streams of a process, under one budget.

    Nobody releases a block: it is free again when the array and every memoryview of it are gone.
    So a transport that has not sent a chunk yet keeps it, however it buffers, and no chunk is
    overwritten while it is read.

    Args:
        budget: Bytes that may be in use before `affords` says no.
        allocate: Allocates a block; this process's memory if left out.

    >>> buffers = Buffers(budget=1 << 20)
    >>> chunk = buffers.take(1 << 16).data
    >>> buffers.in_use
    65536
    >>> del chunk
    >>> buffers.in_use
    0
    """

    def __init__(self, budget: int, allocate: Callable[[int], NDArray[np.uint8]] = pages) -> None:
        self.budget = budget
        self._allocate = allocate
        self.in_use = 0
        self._free: dict[int, list[NDArray[np.uint8]]] = {}
        # Reentrant: collecting garbage may release a block in the middle of `take`.
        self._lock = threading.RLock()

    def affords(self, nbytes: int) -> bool:
        """Return whether ``nbytes`` more stay within the budget."""
        return self.in_use + _block_size(nbytes) <= self.budget

    def take(self, nbytes: int) -> NDArray[np.uint8]:
        """Return uint8, shape (nbytes,), with arbitrary content; beyond the budget, too."""
        size = _block_size(nbytes)
        free = self._free.setdefault(size, [])
        try:
            block = free.pop()
        except IndexError:
            block = self._allocate(size)
        with self._lock:
            self.in_use += size
        array = block[:nbytes]
        # Memoryviews of an array hold it, so it ends with the last of them.
        weakref.finalize(array, self._release, block).atexit = False
        return array

    def _release(self, block: NDArray[np.uint8]) -> None:
        with self._lock:
            self.in_use -= len(block)
        free = self._free.setdefault(len(block), [])
        if len(free) < _KEPT:
            free.append(block)

    def trim(self) -> None:
        """Return all free blocks to the system."""
        self._free = {}


def _block_size(nbytes: int) -> int:
    return max(SMALLEST, 1 << (nbytes - 1).bit_length())
