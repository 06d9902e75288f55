"""Sums over the windows of convolutions with zero padding, forward and backward."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from service.analysis.activation import Values
from service.analysis.chain import Link

Cut = tuple[slice, ...]


def padding(window: Sequence[int]) -> list[tuple[int, int]]:
    """Return the zeros before and after each axis with which an image keeps its size.

    >>> padding((3, 4))
    [(1, 1), (1, 2)]
    """
    return [((size - 1) // 2, size // 2) for size in window]


def taps(window: Sequence[int], places: Sequence[int]) -> Iterator[tuple[Any, Cut, Cut]]:
    """Yield, for each tap that covers a part of the image, indices of weights, outputs and inputs.

    Args:
        window: Size of the kernel for each axis.
        places: Size of the image for each axis.

    >>> for weights, outputs, inputs in taps([2], [4]):
    ...     print(weights, outputs, inputs)
    (Ellipsis, 0) (slice(0, 4, None),) (slice(0, 4, None),)
    (Ellipsis, 1) (slice(0, 3, None),) (slice(1, 4, None),)
    """
    before = [zeros for zeros, _ in padding(window)]
    reaching = [
        range(max(0, zeros - length + 1), min(size, zeros + length))
        for size, zeros, length in zip(window, before, places, strict=True)
    ]
    for index in np.ndindex(*map(len, reaching)):
        tap = tuple(each[at] for each, at in zip(reaching, index, strict=True))
        shifts = [at - zeros for at, zeros in zip(tap, before, strict=True)]
        ends = list(zip(shifts, places, strict=True))
        outputs = tuple(slice(max(0, -shift), length - max(0, shift)) for shift, length in ends)
        inputs = tuple(slice(max(0, shift), length - max(0, -shift)) for shift, length in ends)
        yield (..., *tap), outputs, inputs


def sum_over_fan_in(link: Link, square: Values) -> Values:
    """Return the sum of the inputs' second moments over the fan_in of each output.

    Args:
        link: A layer with weights.
        square: Second moments at the positions of the inputs.
    """
    if link.kind == "linear":
        return np.asarray(link.inputs * square.mean())
    return link.inputs // link.groups * _weight(link) * _sums(square, padding(link.taps))


def sum_over_fan_out(link: Link, square: Values) -> Values:
    """Return the sum of the gradients' mean squares over the fan_out of each input.

    Args:
        link: A layer with weights.
        square: Mean squares of the gradients at the outputs.
    """
    if link.kind == "linear":
        return np.full(link.places, link.outputs * float(square.mean()))
    mirrored = [(after, before) for before, after in padding(link.taps)]
    return link.outputs // link.groups * _weight(link) * _sums(square, mirrored)


def _weight(link: Link) -> int:
    """Return the number of kernel taps per drawn tap: more than 1 if the other taps are zero."""
    return math.prod(link.window) // math.prod(link.taps)


def _sums(values: Values, reach: Sequence[tuple[int, int]]) -> Values:
    """Return sums over windows, one axis after the other.

    Args:
        values: A map.
        reach: How far the window extends before and after each position, for each axis.
    """
    for axis, (before, after) in enumerate(reach):
        length = values.shape[axis]
        at = np.arange(length)
        zero = np.zeros_like(values.take([0], axis))
        running = np.cumsum(np.concatenate([zero, values], axis), axis)
        stop, start = np.minimum(at + after + 1, length), np.maximum(at - before, 0)
        values = running.take(stop, axis) - running.take(start, axis)
    return values
