"""Values copied from a donor: a trained network's file, cast to the planned dtype."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.container.donor import DonorTensor
from service.numerics.cast import DType
from service.numerics.memo import Memo
from service.sources.drawn import Backend, Region


@dataclass(frozen=True, slots=True)
class Copied:
    """The values of a donor's tensor of the same shape.

    Args:
        donor: The tensor; its file stays open for as long as the plan is used.
        dtype: The planned tensor's, to which the donor's values can be cast.
    """

    donor: DonorTensor
    dtype: DType

    @property
    def identity(self) -> str:
        """``donor``, the donor's dtype and the SHA-256 of its bytes, which are read for it."""
        return f"donor {self.donor.dtype} {self.donor.sha256}\n"

    @property
    def full_shape(self) -> tuple[int, ...]:
        """The donor's tensor's dimensions: it is copied as a whole."""
        return self.donor.shape

    @property
    def regions(self) -> tuple[Region, ...]:
        """None: nothing is drawn."""
        return ()

    held_regions = regions

    def details(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return that the values are a donor's, and their dtype there."""
        return {"scheme": "donor", "donor_dtype": self.donor.dtype}

    def demands(self) -> Iterator[tuple[str, int]]:
        """Yield nothing: copying needs no work beyond its elements."""
        return iter(())

    def fill(self, first: int, out: NDArray[np.uint8], backend: Backend, memo: Memo) -> None:
        """Write elements as the file stores them: see `Source.fill`.

        Raises:
            UnreadableFile: The donor's file became shorter while it was read.
        """
        self.donor.fill(first, out, self.dtype)
