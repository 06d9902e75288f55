"""Tensors whose axes the file has in another order than the draws: made in slabs, and turned.

A transposed tensor's neighbours in the file are far apart in its stream. So a slab of it, some
indices of the file's slowest axis, is drawn in the stream's order, turned in memory, and kept for
the chunks that lie in it. A slab is made in panels, so that several chunks share its work.
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
from service.buffers import Buffers
from service.numerics.memo import Memo
from service.plan import PlannedTensor

_PIECE = 1 << 21
"""Bytes that a slab has at least, and a panel about: those of a chunk."""

_ROWS = 128
"""Indices of the slowest axis that a slab has at least: as many draws stand side by side."""

_LARGEST = 1 << 26
"""Bytes that a slab has at most, unless one index has more."""

_MEMORY = Buffers(budget=0)
"""Slabs in memory that is used again: a fresh one costs more than what is written to it."""

_GOLDEN = 0.618033988749895


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
    if not tensor.order:
        backend.fill(tensor, first, out, memo)
        return
    done, at = 0, first * tensor.dtype.size
    while done < len(out):
        slab = _slab_at(tensor, at, memo)
        made = slab.made(backend, memo)
        piece = made[at - slab.begin :][: len(out) - done]
        out[done : done + len(piece)] = piece
        done, at = done + len(piece), at + len(piece)


def _slab_at(tensor: PlannedTensor, at: int, memo: Memo) -> "_Slab":
    axis = _slowest(tensor)
    start, stop = tensor.block[axis]
    row = tensor.nbytes // (stop - start)
    rows = stop - start
    if tensor.shuffle is None or tensor.shuffle[0] != axis:
        rows = max(1, min(rows, max(-(-_PIECE // row), _ROWS), _LARGEST // row))
    index = at // (rows * row)
    low = start + index * rows
    make = partial(_Slab, tensor, axis, low, min(stop, low + rows), index * rows * row)
    return memo.get(("slab", tensor.begin, index), make)


def _slowest(tensor: PlannedTensor) -> int:
    """Return the drawn axis that varies slowest in the file."""
    return max(tensor.order, key=lambda axis: _size(tensor, axis) > 1)


def _size(tensor: PlannedTensor, axis: int) -> int:
    start, stop = tensor.block[axis]
    return stop - start


class _Slab:
    """Some indices of the file's slowest axis.

    Args:
        tensor: What it is of.
        axis: That axis, as drawn.
        low: The first index in the drawn tensor.
        high: The index after the last.
        begin: Offset in the tensor's bytes.
    """

    def __init__(self, tensor: PlannedTensor, axis: int, low: int, high: int, begin: int) -> None:
        self.begin = begin
        self._tensor = tensor
        self._block = list(tensor.block)
        self._block[axis] = (low, high)
        sizes = [stop - start for start, stop in self._block]
        self._bytes = _MEMORY.take(math.prod(sizes) * tensor.dtype.size)
        self._strides = _strides([sizes[axis] for axis in tensor.order], tensor.order)
        # A panel is cut across the axis that has most to cut.
        fixed = {axis} if tensor.shuffle is None else {axis, tensor.shuffle[0]}
        others = [a for a in tensor.order if a not in fixed]
        self._cut = max(others, key=sizes.__getitem__, default=axis)
        panels = max(1, min(sizes[self._cut], len(self._bytes) // _PIECE)) if others else 1
        self._step = -(-sizes[self._cut] // panels)
        self._panels = -(-sizes[self._cut] // self._step)
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
            self._done.get(number, partial(self._make, number, backend, memo))
        return self._bytes

    def _make(self, panel: int, backend: Backend, memo: Memo) -> None:
        """Draw a panel, and put it where it belongs."""
        block = list(self._block)
        start, stop = block[self._cut]
        low = start + panel * self._step
        block[self._cut] = (low, min(stop, low + self._step))
        sizes = [high - low for low, high in block]
        straight = self._tensor._replace(
            order=(), shuffle=None, block=tuple(block), shape=tuple(sizes)
        )
        drawn = np.empty(straight.nbytes, dtype=np.uint8)
        backend.fill(straight, 0, drawn, memo)
        elements = drawn.view(f"u{self._tensor.dtype.size}").reshape(sizes)
        begin = (low - start) * self._strides[self._cut]
        out = self._bytes.view(elements.dtype)[begin:]
        shuffle = self._tensor.shuffle
        if native.PATHS and shuffle is None:
            _turn(elements, self._strides, out)
            return
        if shuffle is not None:
            elements = np.take(elements, shuffle[1], axis=shuffle[0])
        strides = [stride * elements.itemsize for stride in self._strides]
        np.lib.stride_tricks.as_strided(out, elements.shape, strides)[...] = elements


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
    native.turn(elements.itemsize, rows, outer.data, inner.data, elements.data, out.data)


def _offsets(sizes: Sequence[int], strides: Sequence[int]) -> NDArray[np.int64]:
    offsets = np.zeros(1, dtype=np.int64)
    for size, stride in zip(sizes, strides, strict=True):
        offsets = (offsets[:, None] + np.arange(size) * stride).reshape(-1)
    return offsets
