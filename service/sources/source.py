"""The interface of all sources of values."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.numerics.memo import Memo
from service.sources.drawn import Backend, Region


class Source(Protocol):
    """Where the values of one planned tensor come from. Sources are immutable."""

    @property
    def identity(self) -> str:
        """One line that determines the tensor's bytes, together with its name, dtype and shape.

        The digest of a plan is computed from these lines, so equal lines must mean equal bytes.
        """

    @property
    def full_shape(self) -> tuple[int, ...]:
        """Dimensions of the full tensor. The planned tensor may be a block of it."""

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions of the full tensor with their laws; empty if the values are not drawn."""

    @property
    def block_regions(self) -> tuple[Region, ...]:
        """The `regions` that are reported for the planned tensor's block."""

    def details(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return what ``POST /v1/plan`` reports besides the regions, as a JSON-ready object.

        Args:
            shape: Dimensions of the planned tensor in the file.
        """

    def demands(self) -> Iterator[tuple[str, int]]:
        """Yield (limit, amount) for work beyond one draw per element; ``limit`` restricts it."""

    def fill(self, first: int, out: NDArray[np.uint8], backend: Backend, memo: Memo) -> None:
        """Write elements in the format of the file.

        Args:
            first: Index of the first element, row-major in the file's shape.
            out: uint8, shape (n * dtype size,): space for n whole elements, with any alignment.
            backend: Computes drawn values.
            memo: Cache of results that chunks of the same file share.
        """
