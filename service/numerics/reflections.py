"""Orthonormal columns by Householder reflections whose every sum has a fixed order.

A QR from a BLAS differs between processors, because the order of its sums does. Here every sum runs
over ascending indices, one multiplication and one addition a term, so threads and vectors, which
compute different sums, cannot change a bit.

A matrix of m rows and n columns, m >= n, is float64 of shape (ceil(n / 32), m, 32): strips of 32
columns, the last filled up with zeros.

Source: docs/generator-v1.md, "Orthogonal". Householder with the compact WY form of Schreiber & Van
    Loan 1989, https://doi.org/10.1137/0910005
"""

from typing import Protocol

import numpy as np

from service.numerics.array import Array

STRIP = 32
"""Columns of a strip, and reflections of a block."""


class Reflections(Protocol):
    """The two steps that take the time; every implementation gives the same bits."""

    def reflectors(self, strip: Array, width: int) -> tuple[Array, Array]:
        """Turn the first ``width`` columns of a strip into reflectors, in place.

        Args:
            strip: float64, shape (rows, 32), starting at the row of the first diagonal element.
            width: How many columns; 1 to 32.

        Returns:
            T of the block reflector I - V T V', shape (32, 32), and the signs, shape (32,), that
            make R's diagonal positive.
        """

    def reflect(self, v: Array, t: Array, width: int, strips: Array, *, transposed: bool) -> None:
        """Multiply strips by a block reflector, or by its transpose, in place.

        Args:
            v: Reflectors, shape (rows, 32).
            t: Shape (32, 32).
            width: How many reflectors.
            strips: Shape (strips, rows, 32).
            transposed: Whether by the transpose.
        """


def orthonormal(matrix: Array, columns: int, steps: Reflections) -> None:
    """Replace a matrix by the Q of its QR decomposition with a positive diagonal of R.

    Args:
        matrix: float64, shape (ceil(columns / 32), rows, 32), rows >= columns; changed in place.
        columns: n.
        steps: The implementation.
    """
    blocks = []
    for first in range(0, columns, STRIP):
        index, width = first // STRIP, min(STRIP, columns - first)
        v = matrix[index, first:]
        t, signs = steps.reflectors(v, width)
        steps.reflect(v, t, width, matrix[index + 1 :, first:], transposed=True)
        blocks.append((index, first, width, t, signs))
    for index, first, width, t, _ in reversed(blocks):
        v = matrix[index, first:].copy()
        matrix[index] = 0.0
        matrix[index, first : first + width].reshape(-1)[: width * STRIP : STRIP + 1] = 1.0
        steps.reflect(v, t, width, matrix[index:, first:], transposed=False)
    for index, _, _, _, signs in blocks:
        matrix[index] *= signs


class PlainReflections:
    """The steps in NumPy's elementwise operations: the reference, and slow."""

    def reflectors(self, strip: Array, width: int) -> tuple[Array, Array]:
        """Turn the first ``width`` columns of a strip into reflectors, in place."""
        t, signs = np.zeros((STRIP, STRIP)), np.ones(STRIP)
        for j in range(width):
            column = strip[j:, j]
            t[j, j], signs[j] = _reflector(column)
            rest = strip[j:, j + 1 : width]
            products = _sums(column[:, None] * rest) * t[j, j]
            rest -= column[:, None] * products
        strip[:STRIP][np.triu_indices(min(STRIP, len(strip)), 1, STRIP)] = 0.0
        products = _gathered(strip, strip[None])[0]
        for j in range(1, width):
            for q in range(j):
                t[q, j] = -t[j, j] * _sums(t[q, q:j] * products[q:j, j])
        return t, signs

    def reflect(self, v: Array, t: Array, width: int, strips: Array, *, transposed: bool) -> None:
        """Multiply strips by a block reflector, or by its transpose, in place."""
        w = _gathered(v, strips)
        u = np.zeros_like(w)
        for q in range(width):
            to = slice(q, width) if transposed else slice(0, q + 1)
            factors = t[q, to] if transposed else t[to, q]
            u[:, to] += factors[:, None] * w[:, q : q + 1]
        for p in range(width):
            strips -= v[:, p, None] * u[:, p, None]


def _reflector(column: Array) -> tuple[float, float]:
    """Replace a column by its reflector; return tau and the sign of R's diagonal element."""
    norm = np.sqrt(_sums(column * column))
    alpha = column[0].copy()
    beta = norm if alpha < 0 else -norm
    column[0] = 1.0
    if norm == 0.0:
        return 0.0, 1.0
    column[1:] /= alpha - beta
    return (beta - alpha) / beta, -1.0 if beta < 0 else 1.0


def _sums(terms: Array) -> Array:
    """Return 0 + terms[0] + terms[1] + ..., in this order, which ``sum`` does not promise."""
    return np.add.accumulate(terms, axis=0)[-1] + 0.0


def _gathered(v: Array, strips: Array) -> Array:
    """Return V' A of each strip A, shape (strips, 32, 32)."""
    w = np.zeros((len(strips), STRIP, STRIP))
    term = np.empty_like(w)
    for row in range(len(v)):
        np.multiply(v[row, :, None], strips[:, row, None], out=term)
        w += term
    return w
