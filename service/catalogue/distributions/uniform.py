"""The uniform law on an interval, symmetric about its centre to the last bit.

Source: docs/generator-v1.md, "Uniform".
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from service.errors import LawOverflow
from service.numerics.array import Array
from service.numerics.draws import Draws


@dataclass(frozen=True, slots=True)
class Uniform:
    """2^32 evenly spaced values inside [low, high].

    Args:
        low: Lower bound, below ``high``.
        high: Upper bound.

    Raises:
        LawOverflow: ``high - low`` or ``low + high`` is not finite in float64.

    >>> Uniform(-1.0, 1.0).extremes
    (-0.9999999997671694, 0.9999999997671694)
    """

    name: ClassVar[str] = "uniform"
    demands: ClassVar[dict[str, int]] = {}
    low: float
    high: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.high - self.low) or not math.isfinite(self.low + self.high):
            raise LawOverflow("high - low and low + high must be finite in float64")

    @classmethod
    def of_variance(cls, variance: float) -> "Uniform":
        """Return the law of mean 0 and this variance: half its width is sqrt(3 variance)."""
        half = math.sqrt(3.0 * variance)
        return cls(0.0 - half, half)  # 0 - 0 is +0, and a bound of -0 would reach the digest

    @property
    def parameters(self) -> tuple[float, ...]:
        """The bounds."""
        return self.low, self.high

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        return (self.low + self.high) / 2, (self.high - self.low) / math.sqrt(12)

    @property
    def extremes(self) -> tuple[float, float]:
        """Values of the words 0 and 2^32 - 1."""
        reach = (2.0**32 - 1) * self.step
        return max(self.centre - reach, self.low), min(self.centre + reach, self.high)

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""
        xp = draws.xp
        # 2h + 1 - 2^32 is odd and below 2^53, so float64 holds it exactly and it is never 0.
        values = (2 * draws.words + 1).astype(xp.float64)
        values -= 2.0**32
        values *= self.step
        values += self.centre
        return xp.clip(values, self.low, self.high)

    @property
    def centre(self) -> float:
        """Midpoint of the bounds, never -0."""
        return (self.low + self.high) / 2 + 0.0  # of the least subnormal, half is -0

    @property
    def step(self) -> float:
        """Half the width times 2^-32: the width of one of 2^33 intervals."""
        return ((self.high - self.low) / 2) * 2.0**-32
