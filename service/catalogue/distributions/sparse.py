"""A normal law with zeros: a fixed number along an axis, or each element independently.

Which elements are zero is drawn from the tensor's stream of purpose ``mask``.

Source: docs/generator-v1.md, "Sparse". Martens 2010, "Deep learning via Hessian-free optimization",
    section 5: https://www.cs.toronto.edu/~jmartens/docs/Deep_HessianFree.pdf
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from service.catalogue.distributions.normal import Normal
from service.numerics.array import Array, Namespace
from service.numerics.draws import Draws
from service.numerics.fans import Geometry
from service.numerics.keys import Stream
from service.numerics.philox import words_at
from service.numerics.positions import coordinate_on, number, numbers

_PIECE = 1 << 20
"""Elements whose mask is drawn at once."""


@dataclass(frozen=True, slots=True)
class Sparse:
    """Zero at the ``zeros`` smallest mask words of each line along ``axis``, normal elsewhere.

    Args:
        normal: Law of the other elements.
        geometry: The block and its full tensor.
        axis: The axis of the lines; None: an element is zero if its mask word is below ``zeros``.
        zeros: Number of zeros in a line, or of words out of 2^32.
    """

    name: ClassVar[str] = "sparse"
    normal: Normal
    geometry: Geometry
    axis: int | None
    zeros: int

    @property
    def demands(self) -> dict[str, int]:
        """Lines are ranked over the whole tensor; independent elements are not."""
        if self.axis is None:
            return {}
        return {"max_whole_elements": math.prod(self.geometry.part_shape)}

    @property
    def parameters(self) -> tuple[float, ...]:
        """Mean, std, axis (-1 for none), zeros, then the part: axis, start, dimensions."""
        axis = -1 if self.axis is None else self.axis
        place = (axis, self.zeros, *self.geometry.place)
        return *self.normal.parameters, *map(float, place)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        line = 2**32 if self.axis is None else self.geometry.part_shape[self.axis]
        kept = 1.0 - self.zeros / line if line else 0.0
        mean, std = self.normal.moments
        return kept * mean, math.sqrt(kept) * math.hypot(std, mean * math.sqrt(1.0 - kept))

    @property
    def extremes(self) -> tuple[float, float]:
        """The normal law's, and zero."""
        low, high = self.normal.extremes
        return min(low, 0.0), max(high, 0.0)

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""
        xp = draws.xp
        mask = draws.under(draws.workspace.mask)
        if self.axis is None:
            zero = mask.words < self.zeros
        else:
            at = self.geometry.coordinates(draws.index)
            make = partial(self._bounds, xp, mask.stream)
            bounds = draws.workspace.memo.get(mask.stream, self, make)
            line = number(at, self.geometry.part_shape, self._others)
            zero = _rank(mask.words, at[self.axis]) < bounds[line]
        return xp.where(zero, 0.0, self.normal.sample(draws))

    @property
    def _others(self) -> list[int]:
        return [a for a in range(len(self.geometry.shape)) if a != self.axis]

    def _bounds(self, xp: Namespace, mask: Stream) -> Array:
        """Return, for each line, the rank below which its elements are zero."""
        assert self.axis is not None  # noqa: S101 - chances need no ranks
        lines = numbers(xp, self.geometry, self._others)
        length = self.geometry.part_shape[self.axis]
        if self.zeros == length:
            return xp.full(len(lines), 2**64 - 1, dtype=xp.uint64)
        if length > _PIECE:
            return xp.stack([self._bound(xp, mask, line) for line in lines])
        along = numbers(xp, self.geometry, [self.axis])
        place = xp.arange(len(along), dtype=xp.uint64)
        bounds = xp.empty(len(lines), dtype=xp.uint64)
        step = max(1, _PIECE // len(along))
        for start in range(0, len(lines), step):
            words = words_at(xp, mask, lines[start : start + step, None] + along)
            ranks = xp.partition(_rank(words, place), self.zeros, axis=-1)
            bounds[start : start + step] = ranks[:, self.zeros]
        return bounds

    def _bound(self, xp: Namespace, mask: Stream, line: Array) -> Array:
        """Return the bound of one long line, a piece at a time, in two passes.

        The first counts the words by their upper half, which tells that of the bound; the second
        ranks those that have it.
        """
        counts = xp.zeros(1 << 16, dtype=xp.int64)
        for words, _ in self._pieces(xp, mask, line):
            counts += xp.bincount((words >> 16).astype("int64"), minlength=1 << 16)
        ends = xp.cumsum(counts)
        upper = int(xp.searchsorted(ends, self.zeros, side="right"))
        ranks = [
            _rank(words, place)[words >> 16 == upper]
            for words, place in self._pieces(xp, mask, line)
        ]
        before = int(ends[upper] - counts[upper])
        return xp.sort(xp.concatenate(ranks))[self.zeros - before]

    def _pieces(self, xp: Namespace, mask: Stream, line: Array) -> Iterator[tuple[Array, Array]]:
        """Yield the words and the positions of a line's elements, some at a time."""
        part, axis = self.geometry, self.axis or 0
        stride, _ = coordinate_on(part.shape, axis)
        start = part.start if axis == part.axis else 0
        for first in range(0, part.part_shape[axis], _PIECE):
            stop = min(first + _PIECE, part.part_shape[axis])
            place = xp.arange(first, stop, dtype=xp.uint64)
            yield words_at(xp, mask, line + (place + start) * stride), place


def _rank(words: Array, coordinate: Array) -> Array:
    """Return the key by which elements of a line are ordered: the word, then the position."""
    return (words << 32) | coordinate
