"""Bytes of a planned file, from any offset, in constant memory."""

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from service.backends import Backend
from service.numerics.memo import Memo
from service.plan import Plan, PlannedTensor

_TENSORS = 512
"""Most tensors a chunk: tiny ones cost a call each, and a stop must not wait for a million.
Of a plan with tensors that take seconds each, one."""


def reach(plan: Plan, offset: int) -> int:
    """Return the bytes from ``offset`` to the end of the last tensor that its chunk may touch."""
    if not plan.tensors:
        return len(plan.header) - offset
    most = 1 if plan.is_slow else _TENSORS
    last = min(_index_at(plan, offset) + most, len(plan.tensors)) - 1
    return len(plan.header) + plan.tensors[last].end - offset


def _index_at(plan: Plan, offset: int) -> int:
    at = max(0, offset - len(plan.header))
    return bisect_right(plan.tensors, at, key=lambda tensor: tensor.begin) - 1


def fill(plan: Plan, offset: int, out: NDArray[np.uint8], backend: Backend) -> None:
    """Write the file's bytes from ``offset`` on into ``out``.

    Args:
        plan: The file.
        offset: Of the first byte; ``offset + len(out)`` lies within the file.
        out: uint8, shape (bytes,).
        backend: Where to compute.
    """
    head = plan.header[offset : offset + len(out)]
    out[: len(head)] = np.frombuffer(head, dtype=np.uint8)
    done, at = len(head), max(0, offset - len(plan.header))
    index = _index_at(plan, offset)
    while done < len(out):
        tensor = plan.tensors[index]
        size = min(len(out) - done, tensor.end - at)
        _fill_bytes(tensor, at - tensor.begin, out[done : done + size], backend, plan.memo)
        done, at, index = done + size, at + size, index + 1


def _fill_bytes(
    tensor: PlannedTensor, offset: int, out: NDArray[np.uint8], backend: Backend, memo: Memo
) -> None:
    """Write bytes of one tensor, which may begin and end inside an element."""
    size = tensor.dtype.size
    first, skip = divmod(offset, size)
    elements = -(-(skip + len(out)) // size)
    if elements * size == len(out):
        tensor.source.fill(first, out, backend, memo)
    else:
        whole = np.empty(elements * size, dtype=np.uint8)
        tensor.source.fill(first, whole, backend, memo)
        out[:] = whole[skip : skip + len(out)]
