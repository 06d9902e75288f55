"""Philox4x32-10: the random word of any element, from its index alone.

Source:
    Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3 and table 2:
    https://doi.org/10.1145/2063384.2063405
"""

from service.numerics.array import U32, Array, Namespace
from service.numerics.keys import Stream

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def philox4x32(
    counter: tuple[Array, Array, Array, Array], key: tuple[int, int]
) -> tuple[Array, Array, Array, Array]:
    """Encrypt counters under one key.

    Args:
        counter: Four uint64 arrays that broadcast together, each word below 2^32.
        key: Two words below 2^32.

    Returns:
        Four uint64 arrays of words below 2^32.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & U32, (p0 >> 32) ^ c3 ^ k1, p0 & U32
        k0, k1 = (k0 + _WEYL[0]) & U32, (k1 + _WEYL[1]) & U32
    return c0, c1, c2, c3


def _blocks(xp: Namespace, stream: Stream, block: Array) -> tuple[Array, Array, Array, Array]:
    # Arrays of one element, not scalars: NumPy 1 would turn uint64 scalars into float64.
    c2, c3 = (xp.full(1, word, dtype=xp.uint64) for word in (stream.c2, stream.c3))
    return philox4x32((block & U32, block >> 32, c2, c3), (stream.k0, stream.k1))


def words_of_run(xp: Namespace, stream: Stream, start: int, count: int) -> Array:
    """Return the words of ``count`` consecutive elements from ``start``: uint64, shape (count,)."""
    first, skip = start >> 2, start & 3
    blocks = (skip + count + 3) >> 2
    block = xp.arange(first, first + blocks, dtype=xp.uint64)
    words = xp.stack(_blocks(xp, stream, block), axis=-1).reshape(-1)
    return words[skip : skip + count]


def words_at(xp: Namespace, stream: Stream, index: Array) -> Array:
    """Return the words of the elements ``index``: uint64 in, uint64 out, same shape.

    Four times the work of `words_of_run` a word; for slices whose runs are short.
    """
    outputs = _blocks(xp, stream, index >> 2)
    lane = index & 3
    low = xp.where(lane == 0, outputs[0], outputs[1])
    high = xp.where(lane == 2, outputs[2], outputs[3])
    return xp.where(lane < 2, low, high)
