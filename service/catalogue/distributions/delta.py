"""One value on a diagonal, zero elsewhere: the law of identity and dirac.

Sources:
    Le, Jaitly & Hinton 2015 (identity): https://arxiv.org/abs/1504.00941
    Zagoruyko & Komodakis 2017, "DiracNets", section 2: https://arxiv.org/abs/1706.00388
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from service.numerics.array import Array
from service.numerics.draws import Draws
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Delta:
    """``value`` where input and output channel agree at the centre tap, zero elsewhere.

    They agree where the output channel, counted within its group, equals the input channel; the
    centre of every other axis is its size // 2.

    Args:
        value: Value on the diagonal.
        geometry: The block and its full tensor.
        out_axis: Axis of the output channels.
        in_axis: Axis of the input channels.
        groups: Number of equal groups of outputs; each repeats the diagonal.
    """

    name: ClassVar[str] = "delta"
    demands: ClassVar[dict[str, int]] = {}
    value: float
    geometry: Geometry
    out_axis: int
    in_axis: int
    groups: int = 1

    @property
    def parameters(self) -> tuple[float, ...]:
        """Value, axes, groups, then the part: axis, start and its dimensions."""
        places = (self.out_axis, self.in_axis, self.groups, *self.geometry.place)
        return self.value, *map(float, places)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation over the block."""
        sizes = self.geometry.part_shape
        diagonal = self.groups * min(self._outputs_per_group, sizes[self.in_axis])
        total = math.prod(sizes)
        share = diagonal / total if total else 0.0
        return self.value * share, abs(self.value) * math.sqrt(share * (1 - share))

    @property
    def extremes(self) -> tuple[float, float]:
        """Zero and the value, in order."""
        return min(0.0, self.value), max(0.0, self.value)

    @property
    def _outputs_per_group(self) -> int:
        return self.geometry.part_shape[self.out_axis] // self.groups

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""
        xp = draws.xp
        at = self.geometry.coordinates(draws.index)
        hit = at[self.out_axis] % self._outputs_per_group == at[self.in_axis]
        for axis, size in enumerate(self.geometry.part_shape):
            if axis not in (self.out_axis, self.in_axis):
                hit &= at[axis] == size // 2
        return xp.where(hit, self.value, 0.0)
