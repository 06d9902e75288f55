"""Windows of convolutions over maps: sums with zero padding, forward and backward."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from service.analysis.activation import Values
from service.analysis.chain import Link

Cut = tuple[slice, ...]


def padding(window: Sequence[int]) -> list[tuple[int, int]]:
    """Return the zeros before and after each axis for an output as large as its input.

    >>> padding((3, 4))
    [(1, 1), (1, 2)]
    """
    return [((size - 1) // 2, size // 2) for size in window]


def taps(window: Sequence[int], places: Sequence[int]) -> Iterator[tuple[Any, Cut, Cut]]:
    """Yield indices for each tap that covers more than zeros: weights, outputs, inputs.

    Args:
        window: Sizes of the kernel.
        places: Sizes of the image.

    >>> for weights, outputs, inputs in taps([2], [4]):
    ...     print(weights, outputs, inputs)
    (Ellipsis, 0) (slice(0, 4, None),) (slice(0, 4, None),)
    (Ellipsis, 1) (slice(0, 3, None),) (slice(1, 4, None),)
    """
    before = [zeros for zeros, _ in padding(window)]
    near = [
        range(max(0, zeros - length + 1), min(size, zeros + length))
        for size, zeros, length in zip(window, before, places, strict=True)
    ]
    for index in np.ndindex(*map(len, near)):
        tap = tuple(each[at] for each, at in zip(near, index, strict=True))
        shifts = [at - zeros for at, zeros in zip(tap, before, strict=True)]
        ends = list(zip(shifts, places, strict=True))
        outputs = tuple(slice(max(0, -shift), length - max(0, shift)) for shift, length in ends)
        inputs = tuple(slice(max(0, shift), length - max(0, -shift)) for shift, length in ends)
        yield (..., *tap), outputs, inputs


def summed(link: Link, square: Values) -> Values:
    """Return the sum of the inputs' second moments over the fan_in of each output.

    Args:
        link: A layer with weights.
        square: Second moments at the link's positions.
    """
    if link.kind == "linear":
        return np.asarray(link.inputs * square.mean())
    return link.inputs // link.groups * _weight(link) * _sums(square, padding(link.taps))


def spread_back(link: Link, square: Values) -> Values:
    """Return the sum of the outputs' mean squares over the fan_out of each input.

    Args:
        link: A layer with weights.
        square: Mean squares of gradients at the outputs.
    """
    if link.kind == "linear":
        return np.full(link.places, link.outputs * float(square.mean()))
    turned = [(after, before) for before, after in padding(link.taps)]
    return link.outputs // link.groups * _weight(link) * _sums(square, turned)


def _weight(link: Link) -> int:
    """Return how many taps each drawn one stands for: more than one if others are zero."""
    return math.prod(link.window) // math.prod(link.taps)


def _sums(values: Values, reach: Sequence[tuple[int, int]]) -> Values:
    """Return sums over windows that extend this far before and after, an axis at a time."""
    for axis, (before, after) in enumerate(reach):
        length = values.shape[axis]
        at = np.arange(length)
        zero = np.zeros_like(values.take([0], axis))
        running = np.cumsum(np.concatenate([zero, values], axis), axis)
        stop, start = np.minimum(at + after + 1, length), np.maximum(at - before, 0)
        values = running.take(stop, axis) - running.take(start, axis)
    return values
