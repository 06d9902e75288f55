"""The uniform law with given bounds.

Frameworks disagree on default bounds (torch 0 to 1, Keras +-0.05, JAX 0 to 0.01): there are none.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue import distributions
from service.catalogue.schemes.scheme import Number, require_order
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Uniform:
    """Uniform between ``low`` and ``high``, whatever the tensor's fans.

    Args:
        low: Lower bound.
        high: Upper bound, above ``low``.

    >>> Uniform(low=-0.05, high=0.05).resolve(Geometry((10,)))
    Uniform(low=-0.05, high=0.05)
    """

    formula: ClassVar[str] = "w ~ U(low, high)"
    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/nn.init.html"
    low: Number
    high: Number
    scheme: Literal["uniform"] = "uniform"

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a tensor.

        Raises:
            SchemeError: ``low`` is not below ``high``, or the interval overflows float64.
        """
        require_order(self.low, self.high)
        return distributions.Uniform(self.low, self.high)
