"""Caffe's two fillers, which use other authors' names for rules of their own.

Source: Caffe's include/caffe/filler.hpp, XavierFiller and MSRAFiller:
    https://github.com/BVLC/caffe/blob/master/include/caffe/filler.hpp
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue.distributions import CENTRED, CentredName, Distribution
from service.numerics.fans import FanMode, Fans, Geometry, variance_of

VarianceNorm = Literal["FAN_IN", "FAN_OUT", "AVERAGE"]

_MODES: dict[VarianceNorm, FanMode] = {
    "FAN_IN": "fan_in",
    "FAN_OUT": "fan_out",
    "AVERAGE": "fan_avg",
}


def _resolve(
    scale: float, variance_norm: VarianceNorm, distribution: CentredName, fans: Fans
) -> Distribution:
    return CENTRED[distribution](variance_of(scale, 1.0, fans, _MODES[variance_norm]))


@dataclass(frozen=True, slots=True)
class CaffeXavier:
    """Caffe's "xavier": uniform of variance ``1 / fan_in``, which is LeCun's rule.

    Args:
        variance_norm: Which fan divides the variance.

    >>> CaffeXavier().resolve(Geometry((8, 3)))
    Uniform(low=-1.0, high=1.0)
    """

    formula: ClassVar[str] = "w ~ U(-sqrt(3/n), sqrt(3/n))"
    source: ClassVar[str] = "https://github.com/BVLC/caffe/blob/master/include/caffe/filler.hpp"
    variance_norm: VarianceNorm = "FAN_IN"
    scheme: Literal["caffe_xavier"] = "caffe_xavier"

    def resolve(self, geometry: Geometry) -> Distribution:
        """Return the law for a tensor with these fans.

        Raises:
            MissingFan: The tensor has no fans.
            DegenerateFan: The selected fan is zero.
        """
        return _resolve(1.0, self.variance_norm, "uniform", geometry.fans)


@dataclass(frozen=True, slots=True)
class Msra:
    """Caffe's "msra": normal of variance ``2 / fan_in``, Kaiming's rule for ReLU.

    Args:
        variance_norm: Which fan divides the variance.

    >>> Msra().resolve(Geometry((16, 8)))
    Normal(mean=0.0, std=0.5)
    """

    formula: ClassVar[str] = "w ~ N(0, 2/n)"
    source: ClassVar[str] = "https://github.com/BVLC/caffe/blob/master/include/caffe/filler.hpp"
    variance_norm: VarianceNorm = "FAN_IN"
    scheme: Literal["msra"] = "msra"

    def resolve(self, geometry: Geometry) -> Distribution:
        """Return the law for a tensor with these fans.

        Raises:
            MissingFan: The tensor has no fans.
            DegenerateFan: The selected fan is zero.
        """
        return _resolve(2.0, self.variance_norm, "normal", geometry.fans)
