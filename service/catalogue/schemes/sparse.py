"""Sparse: each unit is connected to few others, so that it does not saturate and units differ.

Source: Martens 2010, "Deep learning via Hessian-free optimization", section 5:
    https://www.cs.toronto.edu/~jmartens/docs/Deep_HessianFree.pdf
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le

from service.catalogue import distributions
from service.catalogue.schemes.scheme import NotNegative, Number
from service.errors import UnsuitableShape
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Sparse:
    """Normal with zeros: ``ceil(sparsity n)`` of every n elements along an axis.

    Args:
        sparsity: Fraction of zeros.
        std: Standard deviation of the others.
        mean: Their mean.
        axis: The axis along which zeros are counted: 0 for columns (torch), 1 for rows (MLX).
        count: ``exact``: exactly that many. ``bernoulli``: each element independently (Caffe).
    """

    formula: ClassVar[str] = "w = 0 for ceil(sparsity n) of n, else w ~ N(mean, std^2)"
    source: ClassVar[str] = "https://www.cs.toronto.edu/~jmartens/docs/Deep_HessianFree.pdf"
    sparsity: Annotated[float, Ge(0), Le(1)]
    std: NotNegative = 0.01
    mean: Number = 0.0
    axis: Annotated[int, Ge(0)] = 0
    count: Literal["exact", "bernoulli"] = "exact"
    scheme: Literal["sparse"] = "sparse"

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a tensor.

        Raises:
            UnsuitableShape: It has no such axis, or an empty one.
            LawOverflow: The normal law overflows float64.
        """
        normal = distributions.Normal(self.mean, self.std)
        if self.count == "bernoulli":
            words = math.floor(self.sparsity * 2.0**32)
            return distributions.Sparse(normal, geometry, None, words)
        if self.axis >= len(geometry.shape) or 0 in geometry.part_shape:
            raise UnsuitableShape(
                f"sparse counts along axis {self.axis} of a tensor of {len(geometry.shape)} axes,"
                " none of them empty: choose another axis"
            )
        zeros = math.ceil(self.sparsity * geometry.part_shape[self.axis])
        return distributions.Sparse(normal, geometry, self.axis, zeros)
