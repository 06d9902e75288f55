"""Values copied from a donor, the file of a trained network, and cast to the planned dtype."""

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
        donor: The donor's tensor; its file must stay open while the plan is used.
        dtype: The dtype of the planned tensor, to which the donor's values can be cast.
    """

    donor: DonorTensor
    dtype: DType

    @property
    def identity(self) -> str:
        """``donor``, the donor's dtype and the SHA-256 of its bytes, which are read for it."""
        return f"donor {self.donor.dtype} {self.donor.sha256}\n"

    @property
    def full_shape(self) -> tuple[int, ...]:
        """Dimensions of the donor's tensor, which is always copied as a whole."""
        return self.donor.shape

    @property
    def regions(self) -> tuple[Region, ...]:
        """Empty, because no value is drawn."""
        return ()

    block_regions = regions

    def details(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the scheme ``donor`` and the donor's dtype."""
        return {"scheme": "donor", "donor_dtype": self.donor.dtype}

    def demands(self) -> Iterator[tuple[str, int]]:
        """Yield nothing, because copying needs no extra work."""
        return iter(())

    def fill(self, first: int, out: NDArray[np.uint8], backend: Backend, memo: Memo) -> None:
        """Write elements in the format of the file: see `Source.fill`.

        Raises:
            UnreadableFile: The donor's file was truncated while it was read.
        """
        self.donor.fill(first, out, self.dtype)
