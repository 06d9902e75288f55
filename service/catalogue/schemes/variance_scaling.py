"""Variance scaling: a weight's variance follows from its fan, so depth keeps the signal's scale.

Sources:
    Glorot & Bengio 2010, eq. 16 (fan_avg, gain 1): https://proceedings.mlr.press/v9/glorot10a.html
    He et al. 2015, eq. 10 (fan_in, gain sqrt 2): https://arxiv.org/abs/1502.01852
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue.distributions import CENTRED, CentredName, Distribution
from service.catalogue.schemes.scheme import Positive
from service.numerics.fans import FanMode, Geometry, variance_of


@dataclass(frozen=True, slots=True)
class VarianceScaling:
    """Zero-mean weights of variance ``scale / fan``: a map from fans to a distribution.

    Args:
        scale: Dimensionless correction for the nonlinearity: 1 linear, 2 ReLU.
        mode: Which fan, in connections per unit, divides the variance.
        distribution: Shape of the law; every choice reaches the same variance.

    >>> VarianceScaling(mode="fan_avg", distribution="uniform").resolve(Geometry((4, 2)))
    Uniform(low=-1.0, high=1.0)
    """

    formula: ClassVar[str] = "var(w) = scale / fan"
    source: ClassVar[str] = "https://docs.jax.dev/en/latest/jax.nn.initializers.html"
    scale: Positive = 1.0
    mode: FanMode = "fan_in"
    distribution: CentredName = "truncated_normal"
    scheme: Literal["variance_scaling"] = "variance_scaling"

    def resolve(self, geometry: Geometry) -> Distribution:
        """Return the law for a tensor with these fans.

        Raises:
            MissingFan: The tensor has no fans.
            DegenerateFan: The selected fan is zero, so no variance exists.
        """
        return CENTRED[self.distribution](variance_of(self.scale, 1.0, geometry.fans, self.mode))
