"""The same value everywhere."""

from dataclasses import dataclass
from typing import ClassVar

from service.numerics.array import Array
from service.numerics.draws import Draws


@dataclass(frozen=True, slots=True)
class Constant:
    """Every element is ``value``.

    >>> Constant(1.0).moments
    (1.0, 0.0)
    """

    name: ClassVar[str] = "constant"
    demands: ClassVar[dict[str, int]] = {}
    value: float

    @property
    def parameters(self) -> tuple[float, ...]:
        """The value."""
        return (self.value,)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        return self.value, 0.0

    @property
    def extremes(self) -> tuple[float, float]:
        """The value, twice."""
        return self.value, self.value

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""
        return draws.xp.full(draws.count, self.value, dtype=draws.xp.float64)
