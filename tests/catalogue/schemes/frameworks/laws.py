"""The words of formulas: what a law's moments and bounds are, or what a matrix must satisfy."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Law:
    """A law by its moments, and its bounds where it has any."""

    mean: float
    std: float
    low: float
    high: float


@dataclass(frozen=True)
class Structure:
    """What an array of one of these ranks must satisfy, given a letter an axis."""

    ranks: tuple[int, ...]
    check: Callable[[Any, str], None]


def value(number: float) -> Law:
    return Law(number, 0.0, number, number)


def uniform(low: float, high: float) -> Law:
    return Law((low + high) / 2, (high - low) / math.sqrt(12), low, high)


def within(bound: float) -> Law:
    return uniform(-bound, bound)


def normal(std: float) -> Law:
    return Law(0.0, std, -math.inf, math.inf)


def cut(std: float, sigmas: float) -> Law:
    """Normal of that std before it is cut to within so many of them."""
    density = math.exp(-sigmas * sigmas / 2) / math.sqrt(2 * math.pi)
    inside = math.erf(sigmas / math.sqrt(2))
    after = math.sqrt(1 - 2 * sigmas * density / inside)
    return Law(0.0, std * after, -sigmas * std, sigmas * std)


def _matrix(array: Any, letters: str) -> Any:
    """Return outputs by everything else."""
    return np.moveaxis(array, letters.index("O"), 0).reshape(array.shape[letters.index("O")], -1)


def _taps(array: Any, letters: str) -> tuple[Any, Any]:
    """Return the centre's outputs by inputs, and how much elsewhere is not zero."""
    order = [letters.index("O"), letters.index("I")]
    kernel = np.moveaxis(array, order, [0, 1])
    centre = kernel[(..., *(size // 2 for size in kernel.shape[2:]))]
    return centre, np.count_nonzero(kernel) - np.count_nonzero(centre)


def eye(gain: float) -> Structure:
    def check(array: Any, letters: str) -> None:
        assert (array == gain * np.eye(*array.shape)).all()

    return Structure((2,), check)


def dirac(gain: float) -> Structure:
    def check(array: Any, letters: str) -> None:
        centre, rest = _taps(array, letters)
        assert (centre == gain * np.eye(*centre.shape)).all()
        assert rest == 0

    return Structure((3, 4, 5), check)


def haar(gain: float) -> Structure:
    def check(array: Any, letters: str) -> None:
        matrix = _matrix(array, letters)
        short = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
        np.testing.assert_allclose(short, gain * gain * np.eye(len(short)), atol=1e-5)

    return Structure((2, 3, 4, 5), check)


def delta_haar(gain: float) -> Structure:
    def check(array: Any, letters: str) -> None:
        centre, rest = _taps(array, letters)
        square = gain * gain * np.eye(centre.shape[1])
        np.testing.assert_allclose(centre.T @ centre, square, atol=1e-5)
        assert rest == 0

    return Structure((3, 4, 5), check)


def tent(centre: Callable[[int, int], float]) -> Structure:
    def check(array: Any, letters: str) -> None:
        height, width = array.shape[2:]
        f = math.ceil(width / 2)
        c = centre(width, f)
        rows, columns = (1 - abs(np.arange(size) / f - c) for size in (height, width))
        expected = np.broadcast_to(np.outer(rows, columns), array.shape)
        np.testing.assert_allclose(array, expected, atol=1e-15)

    return Structure((4,), check)


def unit_rows() -> Structure:
    def check(array: Any, letters: str) -> None:
        assert (array >= 0).all()
        np.testing.assert_allclose(array.reshape(len(array), -1).sum(axis=1), 1.0)

    return Structure((2, 3, 4), check)


def forget(bias: float) -> Structure:
    def check(array: Any, letters: str) -> None:
        quarter = len(array) // 4
        expected = np.zeros(len(array))
        expected[quarter : 2 * quarter] = bias
        assert (array == expected).all()

    return Structure((1,), check)


WORDS: dict[str, Any] = {
    word.__name__: word
    for word in (
        value,
        uniform,
        within,
        normal,
        cut,
        eye,
        dirac,
        haar,
        delta_haar,
        tent,
        unit_rows,
        forget,
    )
} | {"sqrt": math.sqrt}


def meaning(formula: str, fan_in: int = 1, fan_out: int = 1) -> Law | Structure:
    """Return what a formula says of a tensor with these fans."""
    said = eval(formula, WORDS | {"fi": fan_in, "fo": fan_out})
    assert isinstance(said, Law | Structure), formula
    return said
