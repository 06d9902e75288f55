"""Positions: the elements of a block in the file's order, and their draws in the full tensor."""

import math
from collections.abc import Iterator, Sequence

from service.numerics.array import Array, Namespace
from service.numerics.draws import Draws, Run, Scatter
from service.numerics.fans import Geometry
from service.numerics.keys import Stream
from service.numerics.workspace import Workspace

_SHORTEST_RUN = 1024
"""Runs shorter than this are drawn by index, which costs less than a call for each run."""


class Block:
    """A block of a tensor: [start, stop) on every axis.

    Args:
        shape: The full tensor's dimensions.
        bounds: (start, stop) an axis.
    """

    def __init__(self, shape: Sequence[int], bounds: Sequence[tuple[int, int]]) -> None:
        self._axes = list(zip(shape, bounds, strict=True))
        self._run = 1
        """Elements of the block that are neighbours in the full tensor, too."""
        for size, (start, stop) in reversed(self._axes):
            self._run *= stop - start
            if stop - start != size:
                break

    def step(self, first: int, most: int) -> int:
        """Return how many elements to draw at once from ``first`` on, at most ``most``."""
        if self._run < _SHORTEST_RUN:
            return most
        return min(most, self._run - first % self._run)

    def runs(self, first: int, count: int) -> Iterator[tuple[int, int, int]]:
        """Split ``count`` elements from ``first`` on into runs of neighbours in the full tensor.

        Yields:
            (at, index, length): elements from ``first``, index in the full tensor, how many.
        """
        at = 0
        while at < count:
            length = min(count - at, self._run - (first + at) % self._run)
            yield at, self._index(first + at), length
            at += length

    def draws(
        self, xp: Namespace, stream: Stream, first: int, count: int, workspace: Workspace
    ) -> Draws:
        """Return the draws of ``count`` elements of the block, from its element ``first`` on."""
        if first // self._run == (first + count - 1) // self._run:
            return Run(xp, stream, self._index(first), count, workspace)
        place = xp.arange(first, first + count, dtype=xp.uint64)
        index = xp.zeros(count, dtype=xp.uint64)
        stride = 1
        for size, (start, stop) in reversed(self._axes):
            index += (place % (stop - start) + start) * stride
            place //= stop - start
            stride *= size
        return Scatter(xp, stream, index, workspace)

    def _index(self, place: int) -> int:
        index, stride = 0, 1
        for size, (start, stop) in reversed(self._axes):
            place, coordinate = divmod(place, stop - start)
            index += (coordinate + start) * stride
            stride *= size
        return index


def coordinate_on(shape: Sequence[int], axis: int) -> tuple[int, int]:
    """Return (stride, size): an index's coordinate on ``axis`` is index // stride % size."""
    return math.prod(shape[axis + 1 :]), shape[axis]


def number(at: Sequence[Array], sizes: Sequence[int], axes: Sequence[int]) -> Array:
    """Return the row-major number of coordinates on some axes: int64, zeros without axes.

    Args:
        at: Coordinates, an array an axis of the tensor.
        sizes: Its dimensions.
        axes: The axes to number, the slowest first.
    """
    found: Array = at[0].astype("int64") * 0
    for axis in axes:
        found = found * sizes[axis] + at[axis].astype("int64")
    return found


def numbers(
    xp: Namespace, geometry: Geometry, axes: Sequence[int], order: Sequence[int] | None = None
) -> Array:
    """Return what each coordinate of a part on some axes adds to an element's index.

    Args:
        xp: Array namespace.
        geometry: The part and its full tensor.
        axes: The axes whose places are listed, row-major.
        order: The axes by which the index counts the full tensor, the slowest first; all of them
            as they stand if left out.

    Returns:
        uint64, shape (the product of the axes' dimensions in the part,).
    """
    strides, stride = {}, 1
    for axis in reversed(range(len(geometry.shape)) if order is None else order):
        strides[axis] = stride
        stride *= geometry.shape[axis]
    found = xp.zeros(1, dtype=xp.uint64)
    for axis in axes:
        start = geometry.start if axis == geometry.axis else 0
        size = geometry.part_shape[axis]
        here = xp.arange(start, start + size, dtype=xp.uint64) * strides[axis]
        found = (found[:, None] + here).reshape(-1)
    return found
