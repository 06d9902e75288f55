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
        places = (self.out_axis, self.in_axis, *self.geometry.place)
        return self.value, *map(float, places)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation over the tensor."""
        sizes = self.geometry.part_shape
        outputs, inputs = sizes[self.out_axis], sizes[self.in_axis]
        total = math.prod(sizes)
        if not total:
            return 0.0, 0.0
        mean = self.value * _sum_of_signs(outputs, inputs) / total
        square = self.value**2 * outputs * inputs / total
        return mean, math.sqrt(max(0.0, square - mean * mean))

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


def _sum_of_signs(outputs: int, inputs: int) -> int:
    """Return the sum of (-1)^popcount(o & i) over o < outputs, i < inputs.

    >>> _sum_of_signs(3, 4), _sum_of_signs(3, 3)
    (4, 5)
    """
    if min(outputs, inputs) <= 1:
        return outputs * inputs
    half = 1 << (max(outputs, inputs) - 1).bit_length() - 1
    # Over a whole half, every line across it sums to 0 but the first, which sums to the half.
    if outputs <= half:
        return half + _sum_of_signs(outputs, inputs - half)
    if inputs <= half:
        return half + _sum_of_signs(outputs - half, inputs)
    return 3 * half - _sum_of_signs(outputs - half, inputs - half)
