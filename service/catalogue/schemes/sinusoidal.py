"""Sinusoidal: a fixed table of positions, sines beside cosines.

Source: Vaswani et al. 2017, section 3.5; the halves side by side and the last frequency reached, as
    in tensor2tensor and Whisper: https://arxiv.org/abs/1706.03762
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le

from service.catalogue import distributions
from service.errors import UnsuitableShape
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Sinusoidal:
    """``sin(p w_i)`` in the first half of row p, ``cos(p w_i)`` in the second.

    Args:
        max_timescale: One over the slowest frequency, at most 10^9; the fastest is 1.
    """

    formula: ClassVar[str] = "w_i = max_timescale^(-i / (half - 1)), i from 0 to half - 1"
    source: ClassVar[str] = "https://arxiv.org/abs/1706.03762"
    max_timescale: Annotated[float, Ge(1), Le(1e9)] = 10000.0
    scheme: Literal["sinusoidal"] = "sinusoidal"

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a table of positions by features.

        Raises:
            UnsuitableShape: Not a matrix with an even number of columns, at least 4, or in parts.
        """
        sizes = geometry.shape
        if len(sizes) != 2 or sizes[1] % 2 or sizes[1] < 4 or geometry.stop is not None:
            raise UnsuitableShape(
                "sinusoidal needs a matrix of positions by an even number of features, 4 or more,"
                " not in parts"
            )
        return distributions.Sinusoidal(self.max_timescale, geometry)
