"""Tensors whose axes the file has in another order than the draws: made in slabs, and turned.

A transposed tensor's neighbours in the file are far apart in its stream. So a slab of it, some
consecutive elements of the file, is drawn in the stream's order, turned in memory, and kept for the
chunks that lie in it. A slab is made in panels, so that several chunks share its work.
"""

import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service import native
from service.backends import Backend
from service.numerics.memo import Memo
from service.plan import PlannedTensor
from service.stream.buffers import Buffers

_PIECE = 1 << 21
"""Bytes that a slab has at least, and a panel about: those of a chunk."""

_ROWS = 128
"""Indices of its axis that a slab has at least: as many draws stand side by side."""

_LARGEST = 1 << 26
"""Bytes that a slab has at most."""

_RUN = 32
"""Draws side by side below which their neighbours are drawn too, and dropped: that costs less."""

MEMORY = Buffers(budget=0)
"""Slabs in memory that is used again: a fresh one costs more than what is written to it."""

# Multiples of it fall evenly into [0, 1), so callers that come at once begin far from each other.
_GOLDEN = 0.618033988749895

_Block = list[tuple[int, int]]


def fill_elements(
    tensor: PlannedTensor, first: int, out: NDArray[np.uint8], backend: Backend, memo: Memo
) -> None:
    """Write elements of a tensor as the file has them.

    Args:
        tensor: What to write.
        first: Index in the file's order of the first element.
        out: uint8, shape (n * dtype size,): room for n whole elements.
        backend: Where to compute.
        memo: What chunks of the same file share.
    """
    if not tensor.order or not len(out):
        backend.fill(tensor, first, out, memo)
        return
    cut = _Cut(tensor)
    done, at = 0, first * tensor.dtype.size
    while done < len(out):
        begin, block = cut.slab_at(at)
        make = partial(_Slab, tensor, begin, block, cut.axis)
        slab = memo.get((tensor.begin, begin), "slab", make)
        piece = slab.made(backend, memo)[at - begin :][: len(out) - done]
        out[done : done + len(piece)] = piece
        done, at = done + len(piece), at + len(piece)


class _Cut:
    """How a tensor falls into slabs: some indices of one axis, at one place of all slower ones.

    Args:
        tensor: With a file order of its own.
    """

    def __init__(self, tensor: PlannedTensor) -> None:
        self._tensor = tensor
        self._sizes = [stop - start for start, stop in tensor.block]
        slower, row = 0, tensor.nbytes // self._sizes[tensor.order[0]]
        while slower + 1 < len(tensor.order) and (
            row > _LARGEST // 8 or self._sizes[tensor.order[slower]] == 1
        ):
            slower += 1
            row //= self._sizes[tensor.order[slower]]
        self.axis = tensor.order[slower]
        self._slower = tensor.order[:slower]
        self._row, size = row, self._sizes[self.axis]
        self._rows = max(1, min(size, max(-(-_PIECE // row), _ROWS), _LARGEST // row))
        if tensor.shuffle is not None and tensor.shuffle[0] == self.axis:
            self._rows = size  # gates: few, and not in the order in which they are drawn

    def slab_at(self, at: int) -> tuple[int, _Block]:
        """Return where the slab begins that holds a byte, and its block of the drawn tensor."""
        whole = self._sizes[self.axis] * self._row
        place, rest = divmod(at, whole)
        low = rest // (self._rows * self._row) * self._rows
        begin = place * whole + low * self._row
        block = list(self._tensor.block)
        for axis in reversed(self._slower):
            place, here = divmod(place, self._sizes[axis])
            if self._tensor.shuffle is not None and self._tensor.shuffle[0] == axis:
                here = self._tensor.shuffle[1][here]
            start = block[axis][0] + here
            block[axis] = (start, start + 1)
        start, stop = block[self.axis]
        block[self.axis] = (start + low, min(stop, start + low + self._rows))
        return begin, block


class _Slab:
    """Consecutive elements of a file: a block of the drawn tensor, turned.

    Args:
        tensor: What it is of.
        begin: Offset in the tensor's bytes.
        block: [start, stop) on each drawn axis.
        axis: The drawn axis that varies slowest.
    """

    def __init__(self, tensor: PlannedTensor, begin: int, block: _Block, axis: int) -> None:
        self.begin = begin
        self._tensor = tensor
        self._block = block
        self._sizes = [stop - start for start, stop in block]
        self._bytes = MEMORY.take(math.prod(self._sizes) * tensor.dtype.size)
        self.nbytes = len(self._bytes)
        in_file = [self._sizes[a] for a in tensor.order]
        self._strides = _strides(in_file, tensor.order)
        shuffled = tensor.shuffle[0] if tensor.shuffle is not None else axis
        # A panel is cut across the axis that has most to cut.
        others = [a for a in tensor.order if a not in (axis, shuffled)]
        self._cut = max(others, key=self._sizes.__getitem__, default=axis)
        panels = min(self._sizes[self._cut], self.nbytes // _PIECE) if others else 1
        self._step = -(-self._sizes[self._cut] // max(1, panels))
        self._panels = -(-self._sizes[self._cut] // self._step)
        self._done = Memo(self._panels)
        self._callers = itertools.count()

    def made(self, backend: Backend, memo: Memo) -> NDArray[np.uint8]:
        """Return its bytes in the file's order, once every panel is there.

        Callers begin with different panels, so those that come at once share the work.

        Args:
            backend: Where to compute.
            memo: What chunks of the same file share.
        """
        first = int(next(self._callers) * _GOLDEN % 1.0 * self._panels)
        for panel in range(first, first + self._panels):
            number = panel % self._panels
            self._done.get(number, "made", partial(self._make, number, backend, memo))
        return self._bytes

    def _make(self, panel: int, backend: Backend, memo: Memo) -> None:
        """Draw a panel, and put it where it belongs."""
        block = list(self._block)
        start, stop = block[self._cut]
        low = start + panel * self._step
        block[self._cut] = (low, min(stop, low + self._step))
        elements = _drawn(self._tensor, block, backend, memo)
        out = self._bytes.view(elements.dtype)[(low - start) * self._strides[self._cut] :]
        shuffle = self._tensor.shuffle
        is_shuffled = shuffle is not None and elements.shape[shuffle[0]] > 1
        if native.PATHS and not is_shuffled:
            _turn(np.ascontiguousarray(elements), self._strides, out)
            return
        if shuffle is not None and is_shuffled:
            elements = np.take(elements, shuffle[1], axis=shuffle[0])
        strides = [stride * elements.itemsize for stride in self._strides]
        np.lib.stride_tricks.as_strided(out, elements.shape, strides)[...] = elements


def _drawn(tensor: PlannedTensor, block: _Block, backend: Backend, memo: Memo) -> NDArray[Any]:
    """Return a block of the drawn tensor, in the order of its draws."""
    wider, kept, run = list(block), [slice(None)] * len(block), 1
    for axis in reversed(range(len(block))):
        (start, stop), size = block[axis], tensor.full_shape[axis]
        if run * (stop - start) >= _RUN or run * size > 4 * _RUN:
            break
        wider[axis], kept[axis] = (0, size), slice(start, stop)
        run *= size
    sizes = [high - low for low, high in wider]
    straight = tensor._replace(order=(), shuffle=None, block=tuple(wider), shape=tuple(sizes))
    drawn = np.empty(straight.nbytes, dtype=np.uint8)
    backend.fill(straight, 0, drawn, memo)
    return drawn.view(f"u{tensor.dtype.size}").reshape(sizes)[tuple(kept)]


def _strides(sizes: Sequence[int], order: Sequence[int]) -> list[int]:
    """Return how far apart in the file neighbours on each drawn axis are, in elements."""
    strides, stride = [0] * len(order), 1
    for axis, size in zip(reversed(order), reversed(sizes), strict=True):
        strides[axis] = stride
        stride *= size
    return strides


def _turn(elements: NDArray[Any], strides: Sequence[int], out: NDArray[Any]) -> None:
    """Put elements where their coordinates times ``strides`` say."""
    fastest = min(
        (axis for axis, size in enumerate(elements.shape) if size > 1),
        key=strides.__getitem__,
        default=0,
    )
    outer, inner = (
        _offsets(elements.shape[some], strides[some])
        for some in (slice(0, fastest), slice(fastest + 1, None))
    )
    rows = elements.shape[fastest]
    native.transpose(elements.itemsize, rows, outer, inner, elements.data, out.data)


def _offsets(sizes: Sequence[int], strides: Sequence[int]) -> bytes:
    offsets = np.zeros(1, dtype=np.int64)
    for size, stride in zip(sizes, strides, strict=True):
        offsets = (offsets[:, None] + np.arange(size) * stride).reshape(-1)
    return offsets.tobytes()
