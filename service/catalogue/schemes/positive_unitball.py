"""Positive unit ball: rows of positive numbers that sum to 1.

Source: Caffe's PositiveUnitballFiller:
    https://github.com/BVLC/caffe/blob/master/include/caffe/filler.hpp
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue import distributions
from service.errors import UnsuitableShape
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class PositiveUnitball:
    """Uniform numbers divided by the sum of their row; rows are along axis 0."""

    formula: ClassVar[str] = "w = u / sum of its row's u, u ~ U(0, 1)"
    source: ClassVar[str] = "https://github.com/BVLC/caffe/blob/master/include/caffe/filler.hpp"
    scheme: Literal["positive_unitball"] = "positive_unitball"

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a tensor.

        Raises:
            UnsuitableShape: A scalar, which has no rows.
        """
        if not geometry.shape:
            raise UnsuitableShape("positive_unitball needs rows, and this tensor has no axis")
        return distributions.UnitBall(geometry)
