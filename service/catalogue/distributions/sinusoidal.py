"""Sines and cosines of positions: the law of fixed position tables.

Source: docs/generator-v1.md, "Sinusoidal". Vaswani et al. 2017, section 3.5, with the halves
    side by side as in tensor2tensor: https://arxiv.org/abs/1706.03762
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from service.numerics.array import Array
from service.numerics.draws import Draws
from service.numerics.exact import waves
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Sinusoidal:
    """``sin(p w_i)`` in the first half of row p, ``cos(p w_i)`` in the second.

    ``w_i = max_timescale^(-i / (half - 1))``, i from 0.

    Args:
        max_timescale: One over the slowest frequency.
        geometry: The full table: positions by features.
    """

    name: ClassVar[str] = "sinusoidal"
    max_timescale: float
    geometry: Geometry

    @property
    def demands(self) -> dict[str, int]:
        """Every element is a sine, computed in many digits."""
        return {"max_sinusoidal_elements": math.prod(self.geometry.shape)}

    @property
    def parameters(self) -> tuple[float, ...]:
        """The slowest time scale and the table's dimensions."""
        return self.max_timescale, *map(float, self.geometry.shape)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation; sine and cosine squared sum to 1."""
        rows, columns = self.geometry.shape
        half = columns // 2
        total = 0.0
        for i in range(half if rows else 0):
            w = self.max_timescale ** (-i / (half - 1))
            size = math.sin(rows * w / 2) / math.sin(w / 2)  # of the sum of e^(ipw) over positions
            middle = (rows - 1) * w / 2
            total += size * (math.sin(middle) + math.cos(middle))
        mean = total / (rows * columns) if rows else 0.0
        return mean, math.sqrt(0.5 - mean * mean)

    @property
    def extremes(self) -> tuple[float, float]:
        """Minus one and one."""
        return -1.0, 1.0

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""
        rows, columns = self.geometry.shape

        def make() -> Array:
            return draws.xp.asarray(waves(rows, columns // 2, self.max_timescale))

        return draws.workspace.memo.get(self, "table", make)[draws.index.astype("int64")]
