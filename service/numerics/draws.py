"""Draws: the elements of one tensor that a law is asked for, and their random words, when needed.

Constants need neither words nor positions, identities need positions, the rest need words; each is
computed only once asked for.
"""

from functools import cached_property

from service.numerics.array import Array, Namespace
from service.numerics.keys import Stream
from service.numerics.philox import words_at, words_of_run
from service.numerics.workspace import Workspace


class Run:
    """Consecutive elements ``start`` to ``start + count`` of the full tensor.

    Args:
        xp: Array namespace.
        stream: The tensor's stream.
        start: First row-major index.
        count: How many; at least 1.
        workspace: For laws that need more than their own elements.
    """

    def __init__(
        self, xp: Namespace, stream: Stream, start: int, count: int, workspace: Workspace
    ) -> None:
        self.xp = xp
        self.stream = stream
        self.count = count
        self.workspace = workspace
        self._start = start

    def under(self, stream: Stream) -> "Run":
        """Return the same elements of another stream."""
        return Run(self.xp, stream, self._start, self.count, self.workspace)

    @cached_property
    def words(self) -> Array:
        """uint64, shape (count,), each below 2^32."""
        return words_of_run(self.xp, self.stream, self._start, self.count)

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
        workspace: For laws that need more than their own elements.
    """

    def __init__(self, xp: Namespace, stream: Stream, index: Array, workspace: Workspace) -> None:
        self.xp = xp
        self.stream = stream
        self.index = index
        self.count = len(index)
        self.workspace = workspace

    def under(self, stream: Stream) -> "Scatter":
        """Return the same elements of another stream."""
        return Scatter(self.xp, stream, self.index, self.workspace)

    @cached_property
    def words(self) -> Array:
        """uint64, shape (count,), each below 2^32."""
        return words_at(self.xp, self.stream, self.index)


class Selection:
    """Some of other draws, which are computed once however many selections share them.

    Args:
        draws: The draws to choose from.
        chosen: Positions in them, shape (count,).
    """

    def __init__(self, draws: "Draws", chosen: Array) -> None:
        self.xp: Namespace = draws.xp
        self.stream: Stream = draws.stream
        self.count = len(chosen)
        self.workspace: Workspace = draws.workspace
        self._draws = draws
        self._chosen = chosen

    def under(self, stream: Stream) -> "Scatter":
        """Return the same elements of another stream."""
        return Scatter(self.xp, stream, self.index, self.workspace)

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
