"""LeCun: unit variance through a linear layer.

Sources:
    LeCun et al. 1998, "Efficient BackProp", section 4.6, eq. 16
    Klambauer et al. 2017 (the start of self-normalizing networks): https://arxiv.org/abs/1706.02515
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue.distributions import CENTRED, CentredName, Distribution
from service.numerics.fans import Geometry, variance_of


@dataclass(frozen=True, slots=True)
class LeCun:
    """Variance ``1 / fan_in``: for SELU and linear layers.

    Args:
        distribution: Shape of the law; every choice reaches the same variance.

    >>> LeCun().resolve(Geometry((16, 4)))
    Normal(mean=0.0, std=0.5)
    """

    formula: ClassVar[str] = "var(w) = 1 / fan_in"
    source: ClassVar[str] = "https://arxiv.org/abs/1706.02515"
    distribution: CentredName = "normal"
    scheme: Literal["lecun"] = "lecun"

    def resolve(self, geometry: Geometry) -> Distribution:
        """Return the law for a tensor with these fans.

        Raises:
            MissingFan: The tensor has no fans.
            DegenerateFan: fan_in is zero.
        """
        return CENTRED[self.distribution](variance_of(1.0, 1.0, geometry.fans, "fan_in"))
