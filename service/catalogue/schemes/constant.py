"""Constants: every element the same.

Source: torch.nn.init.zeros_, ones_ and constant_; no randomness, no fans.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue import distributions
from service.catalogue.schemes.scheme import Number
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Zeros:
    """Every element 0: biases, and the last layer of a residual branch."""

    formula: ClassVar[str] = "w = 0"
    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/nn.init.html"
    scheme: Literal["zeros"] = "zeros"

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a tensor."""
        return distributions.Constant(0.0)


@dataclass(frozen=True, slots=True)
class Ones:
    """Every element 1: the scales of normalization layers."""

    formula: ClassVar[str] = "w = 1"
    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/nn.init.html"
    scheme: Literal["ones"] = "ones"

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a tensor."""
        return distributions.Constant(1.0)


@dataclass(frozen=True, slots=True)
class Constant:
    """Every element ``value``.

    Args:
        value: Any finite number that the dtype holds.
    """

    formula: ClassVar[str] = "w = value"
    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/nn.init.html"
    value: Number
    scheme: Literal["constant"] = "constant"

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a tensor."""
        return distributions.Constant(self.value)
