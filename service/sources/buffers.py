"""Memory for values. A block is reused as soon as nothing refers to it any more."""

import mmap
import threading
import weakref
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

MIN_BLOCK_BYTES = 1 << 16
"""Size of the smallest block in bytes."""

_MAX_FREE_BLOCKS = 4
"""The most free blocks of each size that are kept; others are returned to the system at once."""

# Private, so that a forked process does not share the chunks of its parent.
_PRIVATE = (
    {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_ANONYMOUS") else {}
)


def pages(nbytes: int) -> NDArray[np.uint8]:
    """Allocate memory from the system: uint8, shape (nbytes,), at least one byte."""
    return np.frombuffer(mmap.mmap(-1, nbytes, **_PRIVATE), dtype=np.uint8)


class Buffers:
    """Blocks of memory that all streams of a process share, with one budget.

    Blocks are not released explicitly: a block is free again once its array and all memoryviews of
    it are garbage-collected. So a chunk stays valid while a transport buffers it, and is never
    overwritten while it is read.

    Args:
        budget: The bytes that may be in use before `affords` returns False.
        allocate: Allocates a block; from the system if left out.

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
        """Return whether ``nbytes`` more would stay within the budget."""
        return self.in_use + _block_size(nbytes) <= self.budget

    def take(self, nbytes: int) -> NDArray[np.uint8]:
        """Return uint8, shape (nbytes,), with arbitrary content, even beyond the budget."""
        size = _block_size(nbytes)
        free = self._free.setdefault(size, [])
        try:
            block = free.pop()
        except IndexError:
            block = self._allocate(size)
        with self._lock:
            self.in_use += size
        array = block[:nbytes]
        # Memoryviews of an array keep it alive, so it is finalized after the last of them.
        weakref.finalize(array, self._release, block).atexit = False
        return array

    def _release(self, block: NDArray[np.uint8]) -> None:
        with self._lock:
            self.in_use -= len(block)
        free = self._free.setdefault(len(block), [])
        if len(free) < _MAX_FREE_BLOCKS:
            free.append(block)

    def trim(self) -> None:
        """Return all free blocks to the system."""
        self._free = {}


def _block_size(nbytes: int) -> int:
    return max(MIN_BLOCK_BYTES, 1 << (nbytes - 1).bit_length())
