"""The normal law cut to an interval, without rejection: words are squeezed into a bracket.

The bracket is the first and the last word whose value lies between the bounds, so the bounds hold
exactly and every element costs the same.

Source: docs/generator-v1.md, "Truncated normal".
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from service.catalogue.distributions.normal import require_finite, scaled, variates
from service.errors import EmptyTruncation
from service.numerics.array import Array
from service.numerics.draws import Draws
from service.numerics.exact import truncated_std
from service.numerics.quantile import UNIT, first_word, variate

_FEWEST_WORDS = 2**16


@lru_cache(maxsize=65_536)
def _bracket_in_sigma(low: float, high: float) -> tuple[int, int]:
    # A variate is below 2^31 and a bound times 2^28 is exact, so float64 compares them exactly.
    least, most = low / UNIT, high / UNIT
    return first_word(lambda z: z >= least), first_word(lambda z: z > most) - 1


@lru_cache(maxsize=65_536)
def _bracket_of_values(mean: float, std: float, low: float, high: float) -> tuple[int, int]:
    return (
        first_word(lambda z: scaled(z, mean, std) >= low),
        first_word(lambda z: scaled(z, mean, std) > high) - 1,
    )


@dataclass(frozen=True, slots=True)
class TruncatedNormal:
    """A normal law whose words are squeezed into ``first`` to ``last``.

    Args:
        mean: Mean of the law before the cut.
        std: Standard deviation before the cut, not negative.
        first: First word inside the bounds.
        last: Last word inside the bounds.

    Raises:
        EmptyTruncation: Fewer than 2^16 words lie inside.
        LawOverflow: ``|mean| + 6.34 std`` is not finite in float64.
    """

    name: ClassVar[str] = "truncated_normal"
    demands: ClassVar[dict[str, int]] = {}
    mean: float
    std: float
    first: int
    last: int

    def __post_init__(self) -> None:
        require_finite(self.mean, self.std)
        words = max(0, self.last - self.first + 1)
        if words < _FEWEST_WORDS:
            raise EmptyTruncation(
                f"{words} of the 2^32 words fall between the bounds, and at least"
                f" {_FEWEST_WORDS} must: widen the bounds or move them towards the mean"
            )

    @classmethod
    def in_sigma(cls, mean: float, std: float, low: float, high: float) -> "TruncatedNormal":
        """Return the law cut at ``low`` and ``high`` standard deviations from the mean.

        >>> law = TruncatedNormal.in_sigma(0.0, 1.0, -2.0, 2.0)
        >>> f"{law.first:08x} .. {law.last:08x}"
        '05d2f3df .. fa2d0c20'
        """
        return cls(mean, std, *_bracket_in_sigma(low, high))

    @classmethod
    def between(cls, mean: float, std: float, low: float, high: float) -> "TruncatedNormal":
        """Return the law cut at the values ``low`` and ``high`` themselves."""
        require_finite(mean, std)
        return cls(mean, std, *_bracket_of_values(mean, std, low, high))

    @classmethod
    def of_variance(cls, variance: float) -> "TruncatedNormal":
        """Return the law of mean 0 cut at 2 sigma whose variance after the cut is this one."""
        return cls.in_sigma(0.0, math.sqrt(variance) / truncated_std(-2.0, 2.0), -2.0, 2.0)

    @property
    def parameters(self) -> tuple[float, ...]:
        """Mean, standard deviation, first and last word; float64 holds each exactly."""
        return self.mean, self.std, float(self.first), float(self.last)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation after the cut."""
        low, high = (variate(word) * UNIT for word in (self.first, self.last))
        mass = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
        at_low, at_high = (math.exp(-x * x / 2) / math.sqrt(2 * math.pi) for x in (low, high))
        shift = (at_low - at_high) / mass
        variance = 1 + (low * at_low - high * at_high) / mass - shift * shift
        return self.mean + self.std * shift, self.std * math.sqrt(max(variance, 0.0))

    @property
    def extremes(self) -> tuple[float, float]:
        """Values of the words ``first`` and ``last``."""
        step = self.std * UNIT
        return self.mean + variate(self.first) * step, self.mean + variate(self.last) * step

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""
        words = self.first + ((draws.words * (self.last - self.first + 1)) >> 32)
        return scaled(variates(draws.xp, words), self.mean, self.std)
