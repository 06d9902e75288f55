"""TensorFlow 1's contrib initializer, whose truncation is corrected by a rounded constant.

Source: tf.contrib.layers.variance_scaling_initializer (TensorFlow 1.15),
    tensorflow/contrib/layers/python/layers/initializers.py
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue.distributions import Distribution, TruncatedNormal, Uniform
from service.catalogue.schemes.scheme import Positive
from service.numerics.fans import FanMode, Geometry, variance_of

_MODES: dict[str, FanMode] = {"FAN_IN": "fan_in", "FAN_OUT": "fan_out", "FAN_AVG": "fan_avg"}


@dataclass(frozen=True, slots=True)
class TfVarianceScaling:
    """Normal of std ``sqrt(1.3 factor / n)`` cut at 2 sigma, or uniform of variance ``factor / n``.

    Args:
        factor: Dimensionless factor on the variance.
        mode: Which fan n divides.
        uniform: Draw uniformly instead.

    >>> TfVarianceScaling(uniform=True).resolve(Geometry((5, 6)))
    Uniform(low=-1.0, high=1.0)
    """

    formula: ClassVar[str] = "std(w) = sqrt(1.3 factor / n) before the cut at 2 sigma"
    source: ClassVar[str] = "https://github.com/tensorflow/tensorflow/tree/v1.15.5"
    factor: Positive = 2.0
    mode: Literal["FAN_IN", "FAN_OUT", "FAN_AVG"] = "FAN_IN"
    uniform: bool = False
    scheme: Literal["tf_variance_scaling"] = "tf_variance_scaling"

    def resolve(self, geometry: Geometry) -> Distribution:
        """Return the law for a tensor with these fans.

        Raises:
            MissingFan: The tensor has no fans.
            DegenerateFan: The selected fan is zero.
        """
        fans, mode = geometry.fans, _MODES[self.mode]
        if self.uniform:
            return Uniform.of_variance(variance_of(self.factor, 1.0, fans, mode))
        std = math.sqrt(variance_of(self.factor, 1.3, fans, mode))
        return TruncatedNormal.in_sigma(0.0, std, -2.0, 2.0)
