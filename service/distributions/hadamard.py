"""Signs of a Hadamard matrix at the centre tap: the law of ZerO where channels grow.

Source: docs/generator-v1.md, "Hadamard". Zhao, Schaefer & Anandkumar 2021, algorithm 1:
    https://arxiv.org/abs/2110.12661
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from service.numerics.array import Array
from service.numerics.draws import Draws
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Hadamard:
    """``value (-1)^popcount(o & i)`` at output o, input i and the centre of every other axis.

    Args:
        value: Size of every element at the centre.
        geometry: The block and its full tensor.
        out_axis: Axis of the output channels.
        in_axis: Axis of the input channels.
    """

    name: ClassVar[str] = "hadamard"
    demands: ClassVar[dict[str, int]] = {}
    value: float
    geometry: Geometry
    out_axis: int
    in_axis: int

    @property
    def parameters(self) -> tuple[float, ...]:
        """Value, axes, then the part: axis, start and its dimensions."""
        part = self.geometry
        places = (self.out_axis, self.in_axis, part.axis, part.start, *part.part_shape)
        return self.value, *map(float, places)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation, the first input's row of ones left out of account."""
        taps = math.prod(
            size
            for axis, size in enumerate(self.geometry.part_shape)
            if axis not in (self.out_axis, self.in_axis)
        )
        return 0.0, abs(self.value) / math.sqrt(taps) if taps else 0.0

    @property
    def extremes(self) -> tuple[float, float]:
        """The value, with either sign."""
        return -abs(self.value), abs(self.value)

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""
        xp = draws.xp
        at = self.geometry.coordinates(draws.index)
        parity = at[self.out_axis] & at[self.in_axis]
        for shift in (32, 16, 8, 4, 2, 1):
            parity = parity ^ (parity >> shift)
        values = xp.where(parity & 1, -self.value, self.value)
        for axis, size in enumerate(self.geometry.part_shape):
            if axis not in (self.out_axis, self.in_axis):
                values = xp.where(at[axis] == size // 2, values, 0.0)
        return values
