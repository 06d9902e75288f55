"""Positive rows that sum to 1: the law of Caffe's positive_unitball.

Source: docs/generator-v1.md, "Positive unit ball". Caffe's PositiveUnitballFiller:
    https://github.com/BVLC/caffe/blob/master/include/caffe/filler.hpp
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from service.numerics.array import Array, Namespace
from service.numerics.draws import Draws
from service.numerics.fans import Geometry
from service.numerics.keys import Stream
from service.numerics.philox import words_at
from service.numerics.positions import numbers

_PIECE = 1 << 20
"""Elements whose words are summed at once."""


@dataclass(frozen=True, slots=True)
class UnitBall:
    """Uniform elements divided by the sum of their row; rows are along axis 0.

    Args:
        geometry: The block and its full tensor.
    """

    name: ClassVar[str] = "unit_ball"
    geometry: Geometry

    @property
    def demands(self) -> dict[str, int]:
        """Rows are summed over the whole tensor."""
        return {"max_whole_elements": math.prod(self.geometry.part_shape)}

    @property
    def parameters(self) -> tuple[float, ...]:
        """The part: axis, start and its dimensions."""
        return tuple(map(float, self.geometry.place))

    @property
    def _row(self) -> int:
        return math.prod(self.geometry.part_shape[1:])

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation; the latter to first order in 1 / row."""
        row = self._row
        return (1.0 / row, math.sqrt((row - 1) / (3.0 * row)) / row) if row else (0.0, 0.0)

    @property
    def extremes(self) -> tuple[float, float]:
        """Zero and one."""
        return 0.0, 1.0

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""
        make = partial(self._sums, draws.xp, draws.stream)
        sums = draws.workspace.memo.get(draws.stream, self, make)
        row = self.geometry.coordinates(draws.index)[0].astype("int64")
        # 2h + 1 is below 2^33 and a row's sum below 2^63: both are exact before the conversion.
        return (2 * draws.words + 1).astype("float64") / sums[row]

    def _sums(self, xp: Namespace, stream: Stream) -> Array:
        """Return the sum of each row's 2h + 1, float64."""
        rows = numbers(xp, self.geometry, [0])
        rest = numbers(xp, self.geometry, range(1, len(self.geometry.shape)))
        sums = xp.zeros(len(rows), dtype=xp.uint64)
        step = max(1, _PIECE // max(1, len(rest)))
        for first in range(0, len(rows), step):
            some = slice(first, first + step)
            for start in range(0, len(rest), _PIECE):
                words = words_at(xp, stream, rows[some, None] + rest[start : start + _PIECE])
                sums[some] += xp.sum(2 * words + 1, axis=1)  # of integers: exact in any order
        return sums.astype(xp.float64)
