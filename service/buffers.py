"""Memory that is lent for as long as anyone looks at it, and used again."""

import mmap
import threading
import weakref

import numpy as np
from numpy.typing import NDArray

SMALLEST = 1 << 16
"""Bytes of the smallest block."""

_KEPT = 16
"""Blocks kept for the next borrower; the system gets the rest back at once."""


class Buffers:
    """Blocks of memory for all streams of a process, under one budget.

    A borrower gives nothing back: an array is free again when it and every memoryview of it are
    gone. So a transport that has not yet sent a chunk holds it, whatever its server is and however
    it buffers, and no chunk is written over while it is read.

    Args:
        budget: Bytes that may be lent before `take` asks for patience.

    >>> buffers = Buffers(budget=1 << 20)
    >>> chunk = buffers.take(1 << 16).data
    >>> buffers.lent
    65536
    >>> del chunk
    >>> buffers.lent
    0
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.lent = 0
        self._free: list[NDArray[np.uint8]] = []
        # Reentrant: collecting garbage may give a block back in the middle of `take`.
        self._lock = threading.RLock()

    def affords(self, nbytes: int) -> bool:
        """Return whether ``nbytes`` more stay within the budget."""
        return self.lent + _block_size(nbytes) <= self.budget

    def take(self, nbytes: int) -> NDArray[np.uint8]:
        """Return uint8, shape (nbytes,), of any content; beyond the budget too."""
        size = _block_size(nbytes)
        with self._lock:
            self.lent += size
            fitting = (i for i, block in enumerate(self._free) if len(block) == size)
            place = next(fitting, None)
            block = None if place is None else self._free.pop(place)
        if block is None:
            block = np.frombuffer(mmap.mmap(-1, size), dtype=np.uint8)
        array = block[:nbytes]
        # Memoryviews of an array hold it, so it ends with the last of them.
        weakref.finalize(array, self._give_back, block).atexit = False
        return array

    def _give_back(self, block: NDArray[np.uint8]) -> None:
        with self._lock:
            self.lent -= len(block)
            self._free.append(block)
            if len(self._free) > _KEPT:
                del self._free[0]


def _block_size(nbytes: int) -> int:
    return max(SMALLEST, 1 << (nbytes - 1).bit_length())
