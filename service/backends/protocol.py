"""What a backend is."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.numerics.memo import Memo
from service.plan import PlannedTensor


class Backend(Protocol):
    """Fills host memory with a tensor's elements."""

    name: str

    def fill(self, tensor: PlannedTensor, first: int, out: NDArray[np.uint8], memo: Memo) -> None:
        """Write elements of a tensor's block as the file stores them.

        Args:
            tensor: What to write.
            first: Index in the block, row-major, of the first element.
            out: uint8, shape (n * dtype size,): room for n whole elements, of any alignment.
            memo: What chunks of the same file share.
        """

    def allocate(self, nbytes: int) -> NDArray[np.uint8]:
        """Return memory that it writes to fastest: uint8, shape (nbytes,), at least one."""
