"""What every source of values provides."""

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
        """One line that, with name, dtype and shape, decides the tensor's bytes.

        The plan's digest is computed over these lines, so equal lines must mean equal bytes.
        """

    @property
    def full_shape(self) -> tuple[int, ...]:
        """Dimensions of the whole tensor, of which the planned tensor may be a block."""

    @property
    def regions(self) -> tuple[Region, ...]:
        """The distributions of the values, for explanations; empty if the values are not drawn."""

    @property
    def held_regions(self) -> tuple[Region, ...]:
        """Those of `regions` that the tensor's block can reach."""

    def details(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return what ``POST /v1/plan`` reports of the source beside its regions; JSON-ready.

        Args:
            shape: The planned tensor's dimensions in the file.
        """

    def demands(self) -> Iterator[tuple[str, int]]:
        """Yield (limit, amount): work beyond one draw an element, by the limit that caps it."""

    def fill(self, first: int, out: NDArray[np.uint8], backend: Backend, memo: Memo) -> None:
        """Write elements as the file stores them.

        Args:
            first: Index of the first element, row-major in the file's shape.
            out: uint8, shape (n * dtype size,): room for n whole elements, of any alignment.
            backend: Computes drawn values.
            memo: Results that chunks of the same file share.
        """
