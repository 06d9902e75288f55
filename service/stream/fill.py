"""Computes bytes of a planned file from any offset, in constant memory."""

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from service.backends import Backend
from service.numerics.memo import Memo
from service.plan import Plan, PlannedTensor

_MAX_TENSORS = 512
"""The most tensors in a chunk. Each costs a call, and an abort must not wait for a million calls.
A chunk of a slow plan has one tensor at most."""


def max_chunk_bytes(plan: Plan, offset: int) -> int:
    """Return the most bytes that a chunk at ``offset`` may have, so that it has few tensors."""
    if not plan.tensors:
        return len(plan.header) - offset
    max_tensors = 1 if plan.is_slow else _MAX_TENSORS
    last = min(_index_at(plan, offset) + max_tensors, len(plan.tensors)) - 1
    return len(plan.header) + plan.tensors[last].end - offset


def _index_at(plan: Plan, offset: int) -> int:
    """Return the index of the tensor at an offset in the file; the first for the header."""
    at = max(0, offset - len(plan.header))
    return bisect_right(plan.tensors, at, key=lambda tensor: tensor.begin) - 1


def fill(plan: Plan, offset: int, out: NDArray[np.uint8], backend: Backend) -> None:
    """Write the file's bytes from ``offset`` on to ``out``.

    Args:
        plan: The file.
        offset: Offset of the first byte; ``offset + len(out)`` must be within the file.
        out: uint8, shape (bytes,).
        backend: Computes the values.
    """
    header = plan.header[offset : offset + len(out)]
    out[: len(header)] = np.frombuffer(header, dtype=np.uint8)
    done, at = len(header), max(0, offset - len(plan.header))
    index = _index_at(plan, offset)
    while done < len(out):
        tensor = plan.tensors[index]
        size = min(len(out) - done, tensor.end - at)
        _fill_bytes(tensor, at - tensor.begin, out[done : done + size], backend, plan.memo)
        done, at, index = done + size, at + size, index + 1


def _fill_bytes(
    tensor: PlannedTensor, offset: int, out: NDArray[np.uint8], backend: Backend, memo: Memo
) -> None:
    """Write bytes of one tensor. The range may begin and end inside an element."""
    size = tensor.dtype.size
    first, skip = divmod(offset, size)
    elements = -(-(skip + len(out)) // size)
    if elements * size == len(out):
        tensor.source.fill(first, out, backend, memo)
    else:
        buffer = np.empty(elements * size, dtype=np.uint8)
        tensor.source.fill(first, buffer, backend, memo)
        out[:] = buffer[skip : skip + len(out)]
