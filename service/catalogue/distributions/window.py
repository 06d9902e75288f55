"""One value on a stretch of a vector, zero elsewhere: the law of forget-gate biases.

Source: Jozefowicz, Zaremba & Sutskever 2015, section 4.1:
    https://proceedings.mlr.press/v37/jozefowicz15.html
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from service.numerics.array import Array
from service.numerics.draws import Draws
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Window:
    """``value`` from ``first`` to ``stop`` on the last axis, zero elsewhere.

    Args:
        value: The value.
        first: First coordinate in the part.
        stop: Coordinate after the last.
        geometry: The block and its full tensor.
    """

    name: ClassVar[str] = "window"
    demands: ClassVar[dict[str, int]] = {}
    value: float
    first: int
    stop: int
    geometry: Geometry

    @property
    def parameters(self) -> tuple[float, ...]:
        """Value, stretch, then the part: axis, start and its dimensions."""
        own = (self.first, self.stop, *self.geometry.place)
        return self.value, *map(float, own)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        size = self.geometry.part_shape[-1]
        share = (self.stop - self.first) / size if size else 0.0
        return self.value * share, abs(self.value) * math.sqrt(share * (1 - share))

    @property
    def extremes(self) -> tuple[float, float]:
        """Zero and the value, in order."""
        return min(0.0, self.value), max(0.0, self.value)

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""
        at = self.geometry.coordinates(draws.index)[-1]
        return draws.xp.where((at >= self.first) & (at < self.stop), self.value, 0.0)
