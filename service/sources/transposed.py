"""Drawn values in another order of axes: computed in slabs and transposed in memory.

Neighbouring elements in the file of a transposed tensor are far apart in its random stream. So the
tensor is computed in slabs. A slab is a range of consecutive elements of the file. It is drawn in
the order of the stream, transposed in memory, and kept for all chunks that overlap it. A slab is
divided into panels, so that the threads that compute these chunks share the work.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service import native
from service.numerics.memo import Memo
from service.sources.buffers import Buffers
from service.sources.drawn import Backend, Drawn, Region

_MIN_SLAB_BYTES = 1 << 21
"""Least bytes of a slab, and about the bytes of a panel: the size of a chunk."""

_MIN_ROWS = 128
"""Least coordinates of a slab on its axis, so that as many draws are consecutive."""

_MAX_SLAB_BYTES = 1 << 26
"""Most bytes of a slab."""

_MIN_RUN = 32
"""Fewest consecutive draws that are computed alone. Shorter runs are extended, and the extra draws
are discarded, which costs less."""

MEMORY = Buffers(budget=0)
"""Memory of slabs. It is reused, because allocating memory costs more than filling it."""

# The fractional parts of its multiples are evenly distributed over [0, 1), so concurrent callers
# start far from each other.
_GOLDEN = 0.618033988749895

_Block = list[tuple[int, int]]


class Transposed(NamedTuple):
    """A block of a drawn tensor, stored with its axes in another order.

    Args:
        drawn: The block, in the order of its draws.
        order: The drawn axes in the order in which the file stores them.
        shuffle: A drawn axis and the order of its coordinates in the file; None if no axis is
            shuffled.
    """

    drawn: Drawn
    order: tuple[int, ...]
    shuffle: tuple[int, tuple[int, ...]] | None

    @property
    def identity(self) -> str:
        """The line of the drawn block, ``order 1,0``, and ``shuffle 0:1,0,2`` if there is one."""
        line = f"{self.drawn.identity[:-1]} order {','.join(map(str, self.order))}"
        if self.shuffle:
            line += f" shuffle {self.shuffle[0]}:{','.join(map(str, self.shuffle[1]))}"
        return f"{line}\n"

    @property
    def full_shape(self) -> tuple[int, ...]:
        """Dimensions of the drawn tensor, in the order of its draws."""
        return self.drawn.full_shape

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions of the drawn tensor."""
        return self.drawn.regions

    @property
    def block_regions(self) -> tuple[Region, ...]:
        """The regions that the block overlaps; all regions if the block is empty."""
        drawn = self.drawn
        if len(drawn.regions) == 1 or not drawn.nbytes:
            return drawn.regions
        stride, size = drawn.cut
        low = high = 0
        step = 1
        for (start, stop), axis in zip(
            reversed(drawn.block), reversed(drawn.full_shape), strict=True
        ):
            if stride <= step < stride * size:
                low, high = low + start * step, high + (stop - 1) * step
            step *= axis
        first, last = low // stride, high // stride
        return tuple(r for r in drawn.regions if r.start <= last and first < r.stop)

    def details(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the details of the drawn block, and the order of its axes in the file."""
        return self.drawn.details(shape) | {"draw_order": self.order}

    def demands(self) -> Iterator[tuple[str, int]]:
        """Yield the demands of the drawn values."""
        return self.drawn.demands()

    def fill(self, first: int, out: NDArray[np.uint8], backend: Backend, memo: Memo) -> None:
        """Write elements in the format of the file: see `Source.fill`."""
        if not len(out):
            return
        slabs = _Slabs(self)
        done, at = 0, first * self.drawn.dtype.size
        while done < len(out):
            begin, block = slabs.at(at)
            make = partial(_Slab, self, begin, block, slabs.axis)
            # The plan owns the memo and this source, so the id is unique while the memo exists.
            slab = memo.get((id(self), begin), "slab", make)
            piece = slab.computed(backend, memo)[at - begin :][: len(out) - done]
            out[done : done + len(piece)] = piece
            done, at = done + len(piece), at + len(piece)


class _Slabs:
    """The division of a tensor into slabs.

    A slab covers some coordinates of one axis, at one coordinate of each slower axis.

    Args:
        source: The tensor.
    """

    def __init__(self, source: Transposed) -> None:
        self._source = source
        order, block = source.order, source.drawn.block
        self._sizes = [stop - start for start, stop in block]
        slower, row = 0, source.drawn.nbytes // self._sizes[order[0]]
        while slower + 1 < len(order) and (
            row > _MAX_SLAB_BYTES // 8 or self._sizes[order[slower]] == 1
        ):
            slower += 1
            row //= self._sizes[order[slower]]
        self.axis = order[slower]
        self._slower = order[:slower]
        self._row, size = row, self._sizes[self.axis]
        self._rows = max(
            1, min(size, max(-(-_MIN_SLAB_BYTES // row), _MIN_ROWS), _MAX_SLAB_BYTES // row)
        )
        if source.shuffle is not None and source.shuffle[0] == self.axis:
            self._rows = size  # gates: few, and stored in another order than drawn

    def at(self, offset: int) -> tuple[int, _Block]:
        """Return the offset of the slab that contains a byte, and its block of the drawn tensor."""
        shuffle = self._source.shuffle
        axis_bytes = self._sizes[self.axis] * self._row
        place, rest = divmod(offset, axis_bytes)
        low = rest // (self._rows * self._row) * self._rows
        begin = place * axis_bytes + low * self._row
        block = list(self._source.drawn.block)
        for axis in reversed(self._slower):
            place, here = divmod(place, self._sizes[axis])
            if shuffle is not None and shuffle[0] == axis:
                here = shuffle[1][here]
            start = block[axis][0] + here
            block[axis] = (start, start + 1)
        start, stop = block[self.axis]
        block[self.axis] = (start + low, min(stop, start + low + self._rows))
        return begin, block


class _Slab:
    """A range of consecutive elements of a file: a block of the drawn tensor, transposed.

    Args:
        source: The tensor.
        begin: Offset of the slab in the tensor's bytes.
        block: [start, stop) on each drawn axis.
        axis: The drawn axis that varies slowest in the slab.
    """

    def __init__(self, source: Transposed, begin: int, block: _Block, axis: int) -> None:
        self.begin = begin
        self._source = source
        self._block = block
        self._sizes = [stop - start for start, stop in block]
        self._bytes = MEMORY.take(math.prod(self._sizes) * source.drawn.dtype.size)
        self.nbytes = len(self._bytes)
        in_file = [self._sizes[a] for a in source.order]
        self._strides = _strides(in_file, source.order)
        shuffled = source.shuffle[0] if source.shuffle is not None else axis
        # Panels divide the longest of the other axes.
        others = [a for a in source.order if a not in (axis, shuffled)]
        self._cut = max(others, key=self._sizes.__getitem__, default=axis)
        panels = min(self._sizes[self._cut], self.nbytes // _MIN_SLAB_BYTES) if others else 1
        self._step = -(-self._sizes[self._cut] // max(1, panels))
        self._panels = -(-self._sizes[self._cut] // self._step)
        self._done = Memo(self._panels)
        self._callers = itertools.count()

    def computed(self, backend: Backend, memo: Memo) -> NDArray[np.uint8]:
        """Compute all panels and return the slab's bytes in the order of the file.

        Concurrent callers start with different panels, so they share the work.

        Args:
            backend: Computes drawn values.
            memo: Cache of results that chunks of the same file share.
        """
        first = int(next(self._callers) * _GOLDEN % 1.0 * self._panels)
        for panel in range(first, first + self._panels):
            number = panel % self._panels
            self._done.get(number, "panel", partial(self._compute, number, backend, memo))
        return self._bytes

    def _compute(self, panel: int, backend: Backend, memo: Memo) -> None:
        """Draw a panel and store it transposed."""
        block = list(self._block)
        start, stop = block[self._cut]
        low = start + panel * self._step
        block[self._cut] = (low, min(stop, low + self._step))
        elements = _elements(self._source.drawn, block, backend, memo)
        out = self._bytes.view(elements.dtype)[(low - start) * self._strides[self._cut] :]
        shuffle = self._source.shuffle
        is_shuffled = shuffle is not None and elements.shape[shuffle[0]] > 1
        if native.PATHS and not is_shuffled:
            _transpose(np.ascontiguousarray(elements), self._strides, out)
            return
        if shuffle is not None and is_shuffled:
            elements = np.take(elements, shuffle[1], axis=shuffle[0])
        strides = [stride * elements.itemsize for stride in self._strides]
        np.lib.stride_tricks.as_strided(out, elements.shape, strides)[...] = elements


def _elements(drawn: Drawn, block: _Block, backend: Backend, memo: Memo) -> NDArray[Any]:
    """Return a block of the drawn tensor, in the order of its draws."""
    wider, inner, run = list(block), [slice(None)] * len(block), 1
    for axis in reversed(range(len(block))):
        (start, stop), size = block[axis], drawn.full_shape[axis]
        if run * (stop - start) >= _MIN_RUN or run * size > 4 * _MIN_RUN:
            break
        wider[axis], inner[axis] = (0, size), slice(start, stop)
        run *= size
    sizes = [high - low for low, high in wider]
    extended = drawn._replace(block=tuple(wider))
    elements = np.empty(extended.nbytes, dtype=np.uint8)
    backend.fill(extended, 0, elements, memo)
    return elements.view(f"u{drawn.dtype.size}").reshape(sizes)[tuple(inner)]


def _strides(sizes: Sequence[int], order: Sequence[int]) -> list[int]:
    """Return the stride of each drawn axis in the file, in elements."""
    strides, stride = [0] * len(order), 1
    for axis, size in zip(reversed(order), reversed(sizes), strict=True):
        strides[axis] = stride
        stride *= size
    return strides


def _transpose(elements: NDArray[Any], strides: Sequence[int], out: NDArray[Any]) -> None:
    """Write each element to ``out`` at the sum of its coordinates times ``strides``."""
    fastest = min(
        (axis for axis, size in enumerate(elements.shape) if size > 1),
        key=strides.__getitem__,
        default=0,
    )
    outer, inner = (
        _offsets(elements.shape[axes], strides[axes])
        for axes in (slice(0, fastest), slice(fastest + 1, None))
    )
    rows = elements.shape[fastest]
    native.transpose(elements.itemsize, rows, outer, inner, elements.data, out.data)


def _offsets(sizes: Sequence[int], strides: Sequence[int]) -> bytes:
    offsets = np.zeros(1, dtype=np.int64)
    for size, stride in zip(sizes, strides, strict=True):
        offsets = (offsets[:, None] + np.arange(size) * stride).reshape(-1)
    return offsets.tobytes()
