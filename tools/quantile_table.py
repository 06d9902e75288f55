"""Make the table of the normal quantile: service/numerics/quantile.bin.

Each segment holds the cubic through the true quantile at four Chebyshev nodes, its coefficients
times 2^28 rounded to nearest. Needs mpmath (``pip install -e .[dev]``). Run
``python tools/quantile_table.py`` to print the table's SHA-256, with a path to write it too.
"""

import hashlib
import struct
import sys
from pathlib import Path

from mpmath import mp, mpf

mp.dps = 50


def upper_tail_quantile(p: mpf) -> mpf:
    """Return y >= 0 with P(Z > y) = p, for p in (0, 1/2], to 50 digits."""
    return mp.sqrt(2) * mp.erfinv(1 - 2 * p) if p > mpf(2) ** -20 else _by_newton(p)


def _by_newton(p: mpf) -> mpf:
    # 1 - 2p loses digits far in the tail; Newton on log erfc keeps all of them.
    y = mp.sqrt(-2 * mp.log(p))
    for _ in range(60):
        tail = mp.erfc(y / mp.sqrt(2)) / 2
        step = (tail - p) / (mp.exp(-y * y / 2) / mp.sqrt(2 * mp.pi))
        y += step
        if abs(step) < mpf(10) ** -45:
            return y
    raise ArithmeticError(f"no convergence at {p}")


def cubic(nodes: list[mpf], values: list[mpf]) -> list[mpf]:
    """Return the four coefficients, constant first, of the cubic through four points."""
    divided = list(values)
    for order in range(1, 4):
        for i in range(3, order - 1, -1):
            divided[i] = (divided[i] - divided[i - 1]) / (nodes[i] - nodes[i - order])
    coefficients = [divided[3]]
    for i in (2, 1, 0):  # Newton form to powers, by Horner
        shifted = [mpf(0), *coefficients]
        for k, c in enumerate(coefficients):
            shifted[k] -= nodes[i] * c
        shifted[0] += divided[i]
        coefficients = shifted
    return coefficients


def segment(octave: int, j: int) -> list[int]:
    """Return one row: four non-negative u32 coefficients in units of 2^-28."""
    nodes = [(1 + mp.cos(mp.pi * (2 * i + 1) / 8)) / 2 for i in range(4)]
    start = mpf(2) ** -(octave + 2) * (1 + mpf(j) / 32)
    width = mpf(2) ** -(octave + 7)
    values = [upper_tail_quantile(start + width * (1 - t)) for t in nodes]
    return [int(mp.nint(c * 2**28)) for c in cubic(nodes, values)]


def table() -> bytes:
    """Return the whole table: 32 octaves x 32 segments x 4 little-endian u32."""
    rows = (segment(octave, j) for octave in range(32) for j in range(32))
    return b"".join(struct.pack("<4I", *row) for row in rows)


if __name__ == "__main__":
    made = table()
    print(hashlib.sha256(made).hexdigest())
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_bytes(made)
