"""Random streams: a seed and a tensor's name give 128 bits that no other tensor shares.

Source: docs/generator-v1.md, "Streams". SHA-256 is FIPS 180-4.
"""

import hashlib
import struct
from functools import lru_cache
from typing import NamedTuple


class Stream(NamedTuple):
    """The random stream of one tensor: four words of 32 bits.

    Args:
        k0: Low half of the Philox key.
        k1: High half of the Philox key.
        c2: Third word of every counter.
        c3: Fourth word of every counter.

    >>> stream_of(0, "w").hex()
    'cf4cf83ad80858d9e48394eddbb809b4'
    """

    k0: int
    k1: int
    c2: int
    c3: int

    def hex(self) -> str:
        """Return the 128 bits as 32 hexadecimal digits, in the order k0 k1 c2 c3."""
        return "%08x%08x%08x%08x" % self  # noqa: UP031 - a hundred thousand times a plan


def _framed(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def stream_of(seed: int, name: str, purpose: str = "value") -> Stream:
    """Return the stream of a tensor.

    Args:
        seed: 0 to 2^64 - 1.
        name: The tensor's name; its UTF-8 bytes count, without normalisation.
        purpose: ``value`` for elements; every other use of randomness has its own.
    """
    hashed = _before_name(seed, purpose).copy()
    hashed.update(_framed(name.encode()))
    return Stream._make(struct.unpack_from("<4I", hashed.digest()))


@lru_cache(maxsize=64)
def _before_name(seed: int, purpose: str) -> "hashlib._Hash":
    """Return the hash state before the tensor's name; copy it, do not update it."""
    parts = (b"tensorseed/v1", purpose.encode(), struct.pack("<Q", seed))
    return hashlib.sha256(b"".join(map(_framed, parts)))
