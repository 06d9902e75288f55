"""Tensors whose axes the file has in another order than the draws: made in slabs, and turned.

A transposed tensor's neighbours in the file are far apart in its stream. So a slab of it, some
indices of the file's slowest axis, is drawn in the stream's order, turned in memory, and kept for the
chunks that lie in it.
"""

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.backends import Backend
from service.numerics.memo import Memo
from service.plan import PlannedTensor

_SLAB = 1 << 21
"""Bytes that a slab has at least: those of a chunk."""

_ROWS = 64
"""Indices of the slowest axis that a slab has at least: as many draws stand side by side."""

_LARGEST = 1 << 26
"""Bytes that a slab has at most, unless one index has more."""


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
    size = tensor.dtype.size
    rows, row = _rows(tensor)
    done, at = 0, first * size
    while done < len(out):
        index = at // (rows * row)
        make = partial(_slab, tensor, index, rows, backend, memo)
        slab = memo.get(("slab", tensor.begin, index), make)
        piece = slab[at - index * rows * row :][: len(out) - done]
        out[done : done + len(piece)] = piece
        done, at = done + len(piece), at + len(piece)


def _rows(tensor: PlannedTensor) -> tuple[int, int]:
    """Return how many indices of the file's slowest axis a slab has, and the bytes of one."""
    axis = _slab_axis(tensor)
    start, stop = tensor.block[axis]
    row = tensor.nbytes // (stop - start)
    if tensor.shuffle is not None and tensor.shuffle[0] == axis:
        return stop - start, row
    rows = max(-(-_SLAB // row), _ROWS)
    return max(1, min(rows, stop - start, _LARGEST // row)), row


def _slab_axis(tensor: PlannedTensor) -> int:
    """Return the drawn axis that varies slowest in the file."""
    sizes = [stop - start for start, stop in tensor.block]
    return next((axis for axis in tensor.order if sizes[axis] > 1), tensor.order[0])


def _slab(
    tensor: PlannedTensor, index: int, rows: int, backend: Backend, memo: Memo
) -> NDArray[np.uint8]:
    axis = _slab_axis(tensor)
    start, stop = tensor.block[axis]
    low = start + index * rows
    block = list(tensor.block)
    block[axis] = (low, min(stop, low + rows))
    sizes = [high - low for low, high in block]
    straight = tensor._replace(order=(), shuffle=None, block=tuple(block), shape=tuple(sizes))
    drawn = np.empty(straight.nbytes, dtype=np.uint8)
    backend.fill(straight, 0, drawn, memo)
    words = drawn.view(f"u{tensor.dtype.size}").reshape(sizes)
    if tensor.shuffle is not None:
        words = np.take(words, tensor.shuffle[1], axis=tensor.shuffle[0])
    turned = np.ascontiguousarray(words.transpose(tensor.order))
    return turned.reshape(math.prod(sizes)).view(np.uint8)
