"""The identity matrix, for recurrent kernels and residual-free linear layers.

Source: Le, Jaitly & Hinton 2015, "A simple way to initialize recurrent networks of rectified
    linear units": https://arxiv.org/abs/1504.00941
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue.distributions import Delta, Distribution
from service.catalogue.schemes.scheme import Number
from service.errors import UnsuitableShape
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Identity:
    """``gain`` on the main diagonal of a matrix, 0 elsewhere; the matrix need not be square.

    Args:
        gain: Value on the diagonal.
    """

    formula: ClassVar[str] = "w[i, j] = gain if i = j else 0"
    source: ClassVar[str] = "https://arxiv.org/abs/1504.00941"
    gain: Number = 1.0
    scheme: Literal["identity"] = "identity"

    def resolve(self, geometry: Geometry) -> Distribution:
        """Return the law for a matrix.

        Raises:
            UnsuitableShape: The tensor has not exactly two axes.
        """
        if len(geometry.shape) != 2:
            raise UnsuitableShape(
                f"identity needs a matrix, and this tensor has {len(geometry.shape)} axes:"
                " use dirac for convolutions"
            )
        return Delta(self.gain, geometry, out_axis=0, in_axis=1)
