"""Orthonormal rows or columns, uniformly distributed (Haar): the law of orthogonal initializers.

Source: docs/generator-v1.md, "Orthogonal". Mezzadri 2007, "How to generate random matrices from the
    classical compact groups" (why R's diagonal is made positive): https://arxiv.org/abs/math-ph/0609050
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from service.numerics.array import Array
from service.numerics.draws import Draws
from service.numerics.fans import Geometry
from service.numerics.philox import words_at, words_of_run
from service.numerics.positions import number, numbers
from service.numerics.quantile import UNIT, quantile
from service.numerics.reflections import STRIP, orthonormal

_PIECE = 1 << 16
"""Elements drawn at once."""


@dataclass(frozen=True, slots=True)
class Orthogonal:
    """``gain`` times a matrix of orthonormal rows, or columns where it has more rows.

    The matrix is the output axes by the others under the layout; batch axes count matrices.

    Args:
        gain: Factor on every element.
        geometry: The block and its full tensor; its layout identifies the axes.
        centre_only: Whether the matrix is outputs by inputs at the centre of all other axes, and
            the rest of the tensor zero (delta orthogonal).
    """

    name: ClassVar[str] = "orthogonal"
    gain: float
    geometry: Geometry
    centre_only: bool = False

    @property
    def demands(self) -> dict[str, int]:
        """Matrices are computed as a whole, and all of a tensor are kept while it is computed."""
        return {
            "max_orthogonal_side": max(self.matrix_shape),
            "max_matrices": math.prod(self.geometry.part_shape[a] for a in self._batch_axes),
            "max_whole_elements": math.prod(self.geometry.shape),
        }

    @property
    def parameters(self) -> tuple[float, ...]:
        """Gain, the letters' code points, kind, then the part: axis, start and its dimensions."""
        letters = map(float, map(ord, self.geometry.letters))
        place = (self.centre_only, *self.geometry.place)
        return self.gain, *letters, *map(float, place)

    @property
    def matrix_shape(self) -> tuple[int, int]:
        """Rows and columns."""
        sizes = self.geometry.part_shape
        rows, columns = (math.prod(sizes[a] for a in axes) for axes in self._matrix_axes)
        return rows, columns

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation over the tensor."""
        rows, columns = self.matrix_shape
        spread = math.prod(self.geometry.part_shape[a] for a in self._zero_axes)
        longer = max(rows, columns) * spread
        return 0.0, abs(self.gain) / math.sqrt(longer) if longer else 0.0

    @property
    def extremes(self) -> tuple[float, float]:
        """The gain limits every element, except for the last place."""
        reach = abs(self.gain) * (1.0 + 2.0**-40)
        return -reach, reach

    @property
    def _batch_axes(self) -> list[int]:
        return [a for a, letter in enumerate(self.geometry.letters) if letter == "B"]

    @property
    def _zero_axes(self) -> list[int]:
        """The axes outside whose centre everything is zero."""
        letters = self.geometry.letters
        return [a for a, x in enumerate(letters) if x not in "OIB"] if self.centre_only else []

    @property
    def _matrix_axes(self) -> tuple[list[int], list[int]]:
        letters = self.geometry.letters
        apart = {*self._batch_axes, *self._zero_axes}
        rows = [a for a, letter in enumerate(letters) if letter == "O"]
        return rows, [a for a in range(len(letters)) if a not in apart and a not in rows]

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""
        xp = draws.xp
        at = self.geometry.coordinates(draws.index)
        sizes = self.geometry.part_shape
        row, column = (number(at, sizes, axes) for axes in self._matrix_axes)
        kept = xp.ones(draws.count, dtype=bool)
        for axis in self._zero_axes:
            kept &= at[axis] == sizes[axis] // 2
        values = xp.zeros(draws.count)
        if not self._batch_axes:
            chosen = xp.nonzero(kept)[0]
            values[chosen] = self._elements(draws, 0, row[chosen], column[chosen])
            return values
        kept = xp.nonzero(kept)[0]
        batch = number(at, sizes, self._batch_axes)[kept]
        kept = kept[xp.argsort(batch, kind="stable")]
        found, firsts = xp.unique(batch, return_counts=True)
        start = 0
        for matrix, count in zip(found.tolist(), firsts.tolist(), strict=True):
            chosen, start = kept[start : start + count], start + count
            values[chosen] = self._elements(draws, matrix, row[chosen], column[chosen])
        return values

    def _elements(self, draws: Draws, batch: int, row: Array, column: Array) -> Array:
        """Return gain times elements of one matrix."""
        if not len(row):
            return draws.xp.zeros(0)
        make = partial(self._matrix, draws, batch)
        matrix = draws.workspace.memo.get(draws.stream, (self, batch), make)
        rows, columns = self.matrix_shape
        if rows < columns:
            row, column = column, row
        return matrix[column // STRIP, row, column % STRIP] * self.gain

    def _matrix(self, draws: Draws, batch: int) -> Array:
        """Return the orthonormal columns of one matrix, or rows where it is wide, in strips."""
        xp = draws.xp
        rows, columns = self.matrix_shape
        row_axes, column_axes = self._matrix_axes
        order = [*self._batch_axes, *row_axes, *column_axes]
        of_batch, of_row, of_column = (
            numbers(xp, self.geometry, axes, order)
            for axes in (self._batch_axes, row_axes, column_axes)
        )
        of_row = of_row + of_batch[batch]
        variates = xp.empty((rows, columns))
        step = max(1, _PIECE // columns)
        for start in range(0, rows, step):
            index = of_row[start : start + step, None] + of_column
            variates[start : start + step] = _variates(draws, index)
        if rows < columns:
            variates = variates.T
        short = min(rows, columns)
        matrix = xp.zeros((-(-short // STRIP), max(rows, columns), STRIP))
        for index, strip in enumerate(matrix):
            some = variates[:, index * STRIP : (index + 1) * STRIP]
            strip[:, : some.shape[1]] = some
        del variates
        orthonormal(matrix, short, draws.workspace.reflections)
        return matrix


def _variates(draws: Draws, index: Array) -> Array:
    """Return the standard normal variates of elements by their ascending numbers."""
    flat = index.reshape(-1)
    first, last = int(flat[0]), int(flat[-1])
    if last - first == len(flat) - 1:
        words = words_of_run(draws.xp, draws.stream, first, len(flat))
    else:
        words = words_at(draws.xp, draws.stream, flat)
    return (quantile(draws.xp, words) * UNIT).reshape(index.shape)
