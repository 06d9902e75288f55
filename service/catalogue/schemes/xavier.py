"""Xavier (Glorot): the compromise between keeping activations' and gradients' variance.

Sources:
    Glorot & Bengio 2010, eq. 12 and 16: https://proceedings.mlr.press/v9/glorot10a.html
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue.distributions import CENTRED, CentredName, Distribution
from service.catalogue.schemes.scheme import NamedGain, Positive, squared
from service.numerics.fans import Geometry, variance_of


@dataclass(frozen=True, slots=True)
class Xavier:
    """Variance ``gain^2 * 2 / (fan_in + fan_out)``: for linear, sigmoid and tanh layers.

    Args:
        gain: A factor on the standard deviation, or the nonlinearity whose gain to use.
        distribution: Shape of the law; every choice reaches the same variance.

    >>> Xavier().resolve(Geometry((4, 2)))
    Uniform(low=-1.0, high=1.0)
    """

    formula: ClassVar[str] = "var(w) = gain^2 * 2 / (fan_in + fan_out)"
    source: ClassVar[str] = "https://proceedings.mlr.press/v9/glorot10a.html"
    gain: Positive | NamedGain = 1.0
    distribution: CentredName = "uniform"
    scheme: Literal["xavier"] = "xavier"

    @property
    def gain_squared(self) -> float:
        """The factor on the variance."""
        return squared(self.gain)

    def resolve(self, geometry: Geometry) -> Distribution:
        """Return the law for a tensor with these fans.

        Raises:
            MissingFan: The tensor has no fans.
            DegenerateFan: Both fans are zero.
        """
        variance = variance_of(1.0, self.gain_squared, geometry.fans, "fan_avg")
        return CENTRED[self.distribution](variance)
