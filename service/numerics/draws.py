"""Draws: the elements of one tensor that a law is asked for, and their random words, when needed.

Constants need neither words nor positions, identities need positions, the rest need words; each is
computed only once asked for.
"""

from functools import cached_property

from service.numerics.array import Array, Namespace
from service.numerics.keys import Stream
from service.numerics.philox import words_at, words_of_run


class Run:
    """Consecutive elements ``start`` to ``start + count`` of the full tensor.

    Args:
        xp: Array namespace.
        stream: The tensor's stream.
        start: First row-major index.
        count: How many; at least 1.
    """

    def __init__(self, xp: Namespace, stream: Stream, start: int, count: int) -> None:
        self.xp = xp
        self.count = count
        self._stream = stream
        self._start = start

    @cached_property
    def words(self) -> Array:
        """uint64, shape (count,), each below 2^32."""
        return words_of_run(self.xp, self._stream, self._start, self.count)

    @cached_property
    def index(self) -> Array:
        """uint64, shape (count,): row-major indices in the full tensor."""
        return self.xp.arange(self._start, self._start + self.count, dtype=self.xp.uint64)


class Scatter:
    """Elements at any indices of the full tensor.

    Args:
        xp: Array namespace.
        stream: The tensor's stream.
        index: uint64, shape (count,).
    """

    def __init__(self, xp: Namespace, stream: Stream, index: Array) -> None:
        self.xp = xp
        self.index = index
        self.count = len(index)
        self._stream = stream

    @cached_property
    def words(self) -> Array:
        """uint64, shape (count,), each below 2^32."""
        return words_at(self.xp, self._stream, self.index)


class Selection:
    """Some of other draws, which are computed once however many selections share them.

    Args:
        draws: The draws to choose from.
        chosen: Positions in them, shape (count,).
    """

    def __init__(self, draws: "Draws", chosen: Array) -> None:
        self.xp: Namespace = draws.xp
        self.count = len(chosen)
        self._draws = draws
        self._chosen = chosen

    @property
    def words(self) -> Array:
        """uint64, shape (count,), each below 2^32."""
        return self._draws.words[self._chosen]

    @property
    def index(self) -> Array:
        """uint64, shape (count,): row-major indices in the full tensor."""
        return self._draws.index[self._chosen]


Draws = Run | Scatter | Selection
"""Any of the three."""
