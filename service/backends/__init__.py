"""Backends: where values are computed. All give the same bytes, held to one golden file."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.plan import PlannedTensor


class Backend(Protocol):
    """Fills host memory with a tensor's elements."""

    name: str

    def fill(self, tensor: PlannedTensor, first: int, out: NDArray[np.uint8]) -> None:
        """Write elements of a tensor's block as the file stores them.

        Args:
            tensor: What to write.
            first: Index in the block, row-major, of the first element.
            out: uint8, shape (n * dtype size,): room for n whole elements, of any alignment.
        """
