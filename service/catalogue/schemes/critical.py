"""Critical: weights and biases at the edge of chaos, where signals neither vanish nor explode.

Sources:
    Poole et al. 2016: https://arxiv.org/abs/1606.05340
    Schoenholz et al. 2017: https://arxiv.org/abs/1611.01232
    Roberts, Yaida & Hanin 2022, section 5.3 (GELU, SiLU): https://arxiv.org/abs/2106.10165
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue.distributions import CENTRED, CentredName, Distribution
from service.catalogue.schemes.scheme import Number
from service.errors import SchemeError
from service.numerics.fans import Geometry, variance_of

CriticalName = Literal["linear", "tanh", "relu", "leaky_relu", "gelu", "silu"]

# C_W and C_b with chi = 1 at a fixed point of the variance; those of GELU and SiLU are solved
# numerically by tests/catalogue/schemes/test_critical.py.
_POINTS: dict[CriticalName, tuple[float, float]] = {
    "linear": (1.0, 0.0),
    "tanh": (1.0, 0.0),
    "relu": (2.0, 0.0),
    "gelu": (1.9830582574375471252, 0.17292239075606735175),
    "silu": (1.9880046782694920053, 0.5551431707215303962),
}


@dataclass(frozen=True, slots=True)
class Critical:
    """Variance ``C_W / fan_in`` for weights and ``C_b`` for biases.

    Args:
        nonlinearity: The activation after the layer.
        negative_slope: leaky_relu's slope below zero.
        bias: Whether the tensor is a bias.
        distribution: Shape of the law; every choice reaches the same variance.
    """

    formula: ClassVar[str] = "var(w) = C_W / fan_in, var(b) = C_b"
    source: ClassVar[str] = "https://arxiv.org/abs/2106.10165"
    nonlinearity: CriticalName = "relu"
    negative_slope: Number = 0.0
    bias: bool = False
    distribution: CentredName = "normal"
    scheme: Literal["critical"] = "critical"

    @property
    def gain_squared(self) -> float:
        """C_W, the factor on the variance.

        Raises:
            SchemeError: ``negative_slope`` with another nonlinearity than leaky_relu.
        """
        return self._point()[0]

    def _point(self) -> tuple[float, float]:
        if self.nonlinearity == "leaky_relu":
            return 2.0 / (1.0 + self.negative_slope * self.negative_slope), 0.0
        if self.negative_slope != 0.0:
            raise SchemeError(
                f"negative_slope belongs to leaky_relu and {self.nonlinearity} has none: leave it"
                " out"
            )
        return _POINTS[self.nonlinearity]

    def resolve(self, geometry: Geometry) -> Distribution:
        """Return the law for a tensor.

        Raises:
            SchemeError: ``negative_slope`` with another nonlinearity than leaky_relu.
            MissingFan: A tensor of weights has no fans.
            DegenerateFan: fan_in is zero.
        """
        weights, biases = self._point()
        if self.bias:
            return CENTRED[self.distribution](biases)
        return CENTRED[self.distribution](variance_of(1.0, weights, geometry.fans, "fan_in"))
