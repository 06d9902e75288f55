"""Memory that is lent for as long as anyone looks at it, and used again."""

import threading
import weakref
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.backends.memory import pages

SMALLEST = 1 << 16
"""Bytes of the smallest block."""

_KEPT = 4
"""Blocks of each size kept for the next borrower; the system gets the rest back at once."""


class Buffers:
    """Blocks of memory for all streams of a process, under one budget.

    A borrower gives nothing back: an array is free again when it and every memoryview of it are
    gone. So a transport that has not yet sent a chunk holds it, whatever its server is and however
    it buffers, and no chunk is written over while it is read.

    Args:
        budget: Bytes that may be lent before `take` asks for patience.
        allocate: Makes blocks; memory of this process if left out.

    >>> buffers = Buffers(budget=1 << 20)
    >>> chunk = buffers.take(1 << 16).data
    >>> buffers.lent
    65536
    >>> del chunk
    >>> buffers.lent
    0
    """

    def __init__(self, budget: int, allocate: Callable[[int], NDArray[np.uint8]] = pages) -> None:
        self.budget = budget
        self._allocate = allocate
        self.lent = 0
        self._free: dict[int, list[NDArray[np.uint8]]] = {}
        # Reentrant: collecting garbage may give a block back in the middle of `take`.
        self._lock = threading.RLock()

    def affords(self, nbytes: int) -> bool:
        """Return whether ``nbytes`` more stay within the budget."""
        return self.lent + _block_size(nbytes) <= self.budget

    def take(self, nbytes: int) -> NDArray[np.uint8]:
        """Return uint8, shape (nbytes,), of any content; beyond the budget too."""
        size = _block_size(nbytes)
        free = self._free.setdefault(size, [])
        try:
            block = free.pop()
        except IndexError:
            block = self._allocate(size)
        with self._lock:
            self.lent += size
        array = block[:nbytes]
        # Memoryviews of an array hold it, so it ends with the last of them.
        weakref.finalize(array, self._give_back, block).atexit = False
        return array

    def _give_back(self, block: NDArray[np.uint8]) -> None:
        with self._lock:
            self.lent -= len(block)
        free = self._free.setdefault(len(block), [])
        if len(free) < _KEPT:
            free.append(block)

    def trim(self) -> None:
        """Give the system back what nobody has borrowed."""
        self._free = {}


def _block_size(nbytes: int) -> int:
    return max(SMALLEST, 1 << (nbytes - 1).bit_length())
