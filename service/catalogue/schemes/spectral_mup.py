"""Spectral muP: every layer's update as large as its weights, in the spectral norm.

Source: Yang, Simon & Bernstein 2023, "A Spectral Condition for Feature Learning",
    parametrization 1: https://arxiv.org/abs/2310.17813
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue.distributions import CENTRED, CentredName, Distribution
from service.numerics.fans import Geometry, variance_of


@dataclass(frozen=True, slots=True)
class SpectralMup:
    """Standard deviation ``min(1, sqrt(fan_out / fan_in)) / sqrt(fan_in)``.

    Args:
        distribution: Shape of the law; every choice reaches the same variance.
    """

    formula: ClassVar[str] = "var(w) = min(1, fan_out / fan_in) / fan_in"
    source: ClassVar[str] = "https://arxiv.org/abs/2310.17813"
    distribution: CentredName = "normal"
    scheme: Literal["spectral_mup"] = "spectral_mup"

    def resolve(self, geometry: Geometry) -> Distribution:
        """Return the law for a tensor with these fans.

        Raises:
            MissingFan: The tensor has no fans.
            DegenerateFan: fan_in is zero.
        """
        fans = geometry.fans
        fan_in, fan_out = fans.select("fan_in"), fans.select("fan_out")
        narrowing = fan_out / fan_in if fan_out < fan_in else 1.0
        return CENTRED[self.distribution](variance_of(narrowing, 1.0, fans, "fan_in"))
