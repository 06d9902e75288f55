"""Kaiming (He, MSRA): variance that survives rectifiers, which halve it.

Sources:
    He et al. 2015, eq. 10 and 14, and eq. 15 for leaky: https://arxiv.org/abs/1502.01852
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue.distributions import CENTRED, CentredName, Distribution
from service.catalogue.schemes.scheme import Number, squared_for
from service.numerics.fans import FanMode, Geometry, Nonlinearity, variance_of


@dataclass(frozen=True, slots=True)
class Kaiming:
    """Variance ``gain(nonlinearity)^2 / fan``: for ReLU and its relatives.

    Args:
        mode: ``fan_in`` keeps activations' variance, ``fan_out`` gradients'.
        nonlinearity: The activation after the layer.
        negative_slope: leaky_relu's slope below zero; its default 0 makes it relu, as in torch.
        distribution: Shape of the law; every choice reaches the same variance.

    >>> Kaiming().resolve(Geometry((16, 8)))
    Normal(mean=0.0, std=0.5)
    """

    formula: ClassVar[str] = "var(w) = gain(nonlinearity)^2 / fan"
    source: ClassVar[str] = "https://arxiv.org/abs/1502.01852"
    mode: FanMode = "fan_in"
    nonlinearity: Nonlinearity = "relu"
    negative_slope: Number = 0.0
    distribution: CentredName = "normal"
    scheme: Literal["kaiming"] = "kaiming"

    @property
    def gain_squared(self) -> float:
        """The factor on the variance.

        Raises:
            SchemeError: ``negative_slope`` with another nonlinearity than leaky_relu.
        """
        return squared_for(self.nonlinearity, self.negative_slope)

    def resolve(self, geometry: Geometry) -> Distribution:
        """Return the law for a tensor with these fans.

        Raises:
            SchemeError: ``negative_slope`` with another nonlinearity than leaky_relu.
            MissingFan: The tensor has no fans.
            DegenerateFan: The selected fan is zero.
        """
        variance = variance_of(1.0, self.gain_squared, geometry.fans, self.mode)
        return CENTRED[self.distribution](variance)
