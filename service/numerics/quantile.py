"""The standard normal variate as an integer in units of 2^-28: a table, three multiplications.

One 32-bit word in, one integer out, monotone and exactly odd over all 2^32 words. The table holds
32 octaves x 32 segments x 4 coefficients; ``tools/quantile_table.py`` makes it and
``tools/exhaustive.py`` checks the whole map.

Source: docs/generator-v1.md, "Normal".
"""

import hashlib
from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from service.numerics.array import U32, Array, Namespace

UNIT = 2.0**-28
"""The size of one unit of the variate, in standard deviations."""

REACH = 1_701_332_577
"""The largest variate, in units of 2^-28: 6.338 sigma."""

TABLE_SHA256 = "fcf8d407c578c8e413c8c13b6478c0572ae69c0cc575551824a7cb902b9d6c41"

# A float64's exponent field and top five mantissa bits, read as one integer, count segments from
# the one that starts at 1.0.
_FIRST_SEGMENT = 1023 << 5


def table_bytes() -> bytes:
    """Return the table as it is stored: 4,096 little-endian u32, 16 KiB.

    Raises:
        RuntimeError: The installed table is not the one that defines generator v1.
    """
    data = resources.files("service.numerics").joinpath("quantile.bin").read_bytes()
    if hashlib.sha256(data).hexdigest() != TABLE_SHA256:
        raise RuntimeError("service/numerics/quantile.bin is damaged; reinstall tensorseed")
    return data


@lru_cache(maxsize=4)
def _columns(xp: Any) -> list[Array]:
    """The table as four uint64 arrays of 1,024, octaves from the widest leading zero down."""
    rows = np.frombuffer(table_bytes(), dtype="<u4").reshape(32, 32, 4)[::-1].reshape(1024, 4)
    return [xp.asarray(rows[:, k].astype(np.uint64)) for k in range(4)]


@lru_cache(maxsize=1)
def _rows() -> list[list[int]]:
    """The table as 1,024 rows of four numbers, as it is stored."""
    return np.frombuffer(table_bytes(), dtype="<u4").reshape(1024, 4).tolist()


def quantile(xp: Namespace, words: Array) -> Array:
    """Return the variate of each word.

    Args:
        xp: Array namespace.
        words: uint64, any shape, each below 2^32.

    Returns:
        int64 of the same shape, in units of 2^-28, within +-`REACH`.

    >>> quantile(np, np.array([0, 0x7FFFFFFF, 0xFFFFFFFF], dtype=np.uint64))
    array([-1701332577,           0,  1701332577])
    """
    upper = words >> 31
    # In place throughout: fresh arrays would cost as much as the arithmetic.
    bits = words ^ (upper * U32)  # 31 bits m: the nearer tail's probability is (2m + 1) / 2^33
    bits *= 2
    bits += 1
    # 2m + 1 is exact in float64: its exponent counts the leading zeros and its mantissa is the
    # normalised fraction, so a view does what a count of leading zeros and a shift would.
    bits = bits.astype(xp.float64).view(xp.uint64)
    row = (bits >> 47).view(xp.int64)
    row -= _FIRST_SEGMENT
    t = bits
    t >>= 15
    t &= U32
    t ^= U32
    c0, c1, c2, c3 = _columns(xp)
    variates = c3[row]
    for column in (c2, c1, c0):
        variates *= t
        variates >>= 32
        variates += column[row]
    sign = upper.view(xp.int64)
    sign *= 2
    sign -= 1
    signed = variates.view(xp.int64)
    signed *= sign
    return signed


def variate(word: int) -> int:
    """Return the variate of one word, a hundred times as fast as with an array.

    >>> variate(0xFFFFFFFF) == REACH
    True
    """
    upper = word >> 31
    bits = 2 * (word ^ U32 if upper else word) + 1
    zeros = 32 - bits.bit_length()
    fraction = (bits << (zeros + 1)) & U32
    c0, c1, c2, c3 = _rows()[zeros << 5 | fraction >> 27]
    t = ~(fraction << 5) & U32
    size = c0 + (t * (c1 + (t * (c2 + (t * c3 >> 32)) >> 32)) >> 32)
    return size if upper else -size


def first_word(reaches: Callable[[int], bool]) -> int:
    """Return the first word whose variate ``reaches`` a bound; 2^32 if none does.

    Args:
        reaches: A variate to a boolean; monotone, false then true.
    """
    return bisect_left(range(1 << 32), True, key=lambda word: reaches(variate(word)))  # noqa: FBT003
