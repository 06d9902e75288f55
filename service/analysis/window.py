"""Windows of convolutions over maps: sums under zero padding, forward and back."""

from collections.abc import Sequence

import numpy as np

from service.analysis.activation import Values
from service.analysis.chain import Link


def padding(window: Sequence[int]) -> list[tuple[int, int]]:
    """Return the zeros before and after each axis, that an output is as large as its input.

    >>> padding((3, 4))
    [(1, 1), (1, 2)]
    """
    return [((size - 1) // 2, size // 2) for size in window]


def summed(link: Link, square: Values) -> Values:
    """Return what each output sums over: the inputs' second moments, over all of its fan_in.

    Args:
        link: A layer with weights.
        square: Second moments at the link's places.
    """
    if link.kind == "linear":
        return np.asarray(link.inputs * square.mean())
    return link.inputs // link.groups * _sums(square, link.taps, padding(link.taps))


def spread_back(link: Link, square: Values) -> Values:
    """Return what reaches each input: the outputs' mean squares, over all of its fan_out.

    Args:
        link: A layer with weights.
        square: Mean squares of gradients at the outputs.
    """
    if link.kind == "linear":
        return np.full(link.places, link.outputs * float(square.mean()))
    turned = [(after, before) for before, after in padding(link.taps)]
    return link.outputs // link.groups * _sums(square, link.taps, turned)


def _sums(values: Values, window: Sequence[int], zeros: Sequence[tuple[int, int]]) -> Values:
    """Return the sums over windows, an axis at a time."""
    for axis, size in enumerate(window):
        padded = np.pad(values, [zeros[a] if a == axis else (0, 0) for a in range(values.ndim)])
        length = values.shape[axis]
        values = np.sum(
            [padded.take(range(at, at + length), axis=axis) for at in range(size)], axis=0
        )
    return values
