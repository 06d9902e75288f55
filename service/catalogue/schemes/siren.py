"""SIREN: layers for sine activations, whose inputs keep a standard normal distribution.

Source: Sitzmann et al. 2020, section 3.2 and theorem 1.8 of the supplement:
    https://arxiv.org/abs/2006.09661
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue import distributions
from service.catalogue.schemes.scheme import Positive
from service.errors import DegenerateFan
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Siren:
    """Uniform within ``sqrt(6 / fan_in) / w0``; within ``1 / fan_in`` in the first layer.

    Args:
        w0: Factor of the sine's argument, ``sin(w0 (Wx + b))``.
        first: Whether it is the first layer, whose w0 spans several periods over [-1, 1].
    """

    formula: ClassVar[str] = "w ~ U(-b, b), b = sqrt(6 / fan_in) / w0, first layer 1 / fan_in"
    source: ClassVar[str] = "https://arxiv.org/abs/2006.09661"
    w0: Positive = 30.0
    first: bool = False
    scheme: Literal["siren"] = "siren"

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a tensor with these fans.

        Raises:
            MissingFan: The tensor has no fans.
            DegenerateFan: fan_in is zero.
        """
        fan_in = geometry.fans.select("fan_in")
        if fan_in == 0.0:
            raise DegenerateFan("fan_in is 0, so siren has no bound: use zeros")
        bound = 1.0 / fan_in if self.first else math.sqrt(6.0 / fan_in) / self.w0
        return distributions.Uniform(-bound, bound)
