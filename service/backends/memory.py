"""Memory of this process that values are written to."""

import mmap

import numpy as np
from numpy.typing import NDArray

# Not shared with a process that is forked: its chunks stay what they are.
_PRIVATE = (
    {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_ANONYMOUS") else {}
)


def pages(nbytes: int) -> NDArray[np.uint8]:
    """Return fresh memory of the system's: uint8, shape (nbytes,), at least one."""
    return np.frombuffer(mmap.mmap(-1, nbytes, **_PRIVATE), dtype=np.uint8)
