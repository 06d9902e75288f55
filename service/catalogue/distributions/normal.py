"""The normal law, drawn through the integer quantile.

Source: docs/generator-v1.md, "Normal".
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from service.errors import LawOverflow
from service.numerics.array import Array, Namespace
from service.numerics.draws import Draws
from service.numerics.quantile import REACH, UNIT, quantile


def require_finite(mean: float, std: float) -> None:
    """Check that every value of a normal law is finite in float64.

    Raises:
        LawOverflow: ``|mean| + 6.34 std`` is not.
    """
    if not math.isfinite(abs(mean) + 6.34 * std):
        raise LawOverflow("|mean| + 6.34 std must be finite in float64")


def scaled(variates: Any, mean: float, std: float) -> Any:
    """Return mean + z * (std * 2^-28), multiplied and added with one rounding each.

    Args:
        variates: Variates z in units of 2^-28: an array of float64 or int64, or one number.
        mean: Added last.
        std: Standard deviation.
    """
    values = variates * (std * UNIT)
    values += mean
    return values


def variates(xp: Namespace, words: Array) -> Array:
    """Return the standard normal variates of uint64 words, as float64 in units of 2^-28."""
    return quantile(xp, words).astype(xp.float64)


@dataclass(frozen=True, slots=True)
class Normal:
    """A normal law that reaches 6.338 standard deviations.

    Args:
        mean: Any finite value.
        std: Standard deviation, not negative.

    Raises:
        LawOverflow: ``|mean| + 6.34 std`` is not finite in float64.

    >>> Normal(0.0, 0.02).moments
    (0.0, 0.02)
    """

    name: ClassVar[str] = "normal"
    demands: ClassVar[dict[str, int]] = {}
    mean: float
    std: float

    def __post_init__(self) -> None:
        require_finite(self.mean, self.std)

    @classmethod
    def of_variance(cls, variance: float) -> "Normal":
        """Return the law of mean 0 and this variance."""
        return cls(0.0, math.sqrt(variance))

    @property
    def parameters(self) -> tuple[float, ...]:
        """Mean and standard deviation."""
        return self.mean, self.std

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        return self.mean, self.std

    @property
    def extremes(self) -> tuple[float, float]:
        """Values of the words 0 and 2^32 - 1."""
        step = self.std * UNIT
        return self.mean - REACH * step, self.mean + REACH * step

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""
        return scaled(variates(draws.xp, draws.words), self.mean, self.std)
