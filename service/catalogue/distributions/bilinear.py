"""A tent over the last two axes, the same in every channel: the law of upsampling kernels.

Source: docs/generator-v1.md, "Bilinear". Caffe's BilinearFiller:
    https://github.com/BVLC/caffe/blob/master/include/caffe/filler.hpp
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from service.numerics.array import Array
from service.numerics.draws import Draws
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Bilinear:
    """The product of ``(2f - |2x - shift|) / 2f`` over the height and the width.

    Args:
        geometry: The block and its full tensor.
        axes: The axes of the height and the width.
        factor: f, the upsampling.
        shift: Twice the centre.
    """

    name: ClassVar[str] = "bilinear"
    demands: ClassVar[dict[str, int]] = {}
    geometry: Geometry
    axes: tuple[int, int]
    factor: int
    shift: int

    @property
    def parameters(self) -> tuple[float, ...]:
        """Axes, factor, shift, then the part: axis, start and its dimensions."""
        own = (*self.axes, self.factor, self.shift)
        return tuple(map(float, (*own, *self.geometry.place)))

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation over the kernel."""
        mean = square = 1.0  # the kernel is a product, and so are its means
        for axis in self.axes:
            side = [a / (2 * self.factor) for a in self._side(range(self._sizes[axis]))]
            mean *= math.fsum(side) / len(side)
            square *= math.fsum(a * a for a in side) / len(side)
        return mean, math.sqrt(max(0.0, square - mean * mean))

    @property
    def _sizes(self) -> tuple[int, ...]:
        return self.geometry.part_shape

    @property
    def extremes(self) -> tuple[float, float]:
        """The tent's: 0 and 1 bound it, but for kernels that are no tent."""
        reach = max(1.0, *(abs(x) / (2 * self.factor) for x in self._corners)) ** 2
        return -reach, reach

    @property
    def _corners(self) -> list[int]:
        last = self.geometry.part_shape[self.axes[0]] - 1
        return self._side([0, last])

    def _side(self, places: range | list[int]) -> list[int]:
        return [2 * self.factor - abs(2 * x - self.shift) for x in places]

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""
        xp = draws.xp
        at = self.geometry.coordinates(draws.index)
        product: Array = 1
        for axis in self.axes:
            place = at[axis].astype("int64")
            product = product * (2 * self.factor - xp.abs(2 * place - self.shift))
        return product.astype(xp.float64) / float(4 * self.factor**2)
