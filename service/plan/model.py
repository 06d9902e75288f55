"""The plan of a file. Its length and digest are known before any value is drawn."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from service.errors import Problem
from service.numerics.cast import DType
from service.numerics.memo import Memo
from service.sources import Source

_QUICK_DEMANDS = {
    "max_orthogonal_side": 256,
    "max_whole_elements": 1 << 17,
    "max_matrices": 16,
    "max_chrono_elements": 256,
    "max_sinusoidal_elements": 1 << 14,
}
"""For each limit, the largest demand that takes only milliseconds."""


class PlannedTensor(NamedTuple):
    """One tensor of the file.

    Args:
        name: Its name.
        dtype: The dtype in which its values are stored.
        shape: Its dimensions in the file.
        source: Where its values come from.
        begin: Offset of its first byte from the end of the header.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    source: Source
    begin: int = 0

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Number of bytes."""
        return self.elements * self.dtype.size

    @property
    def end(self) -> int:
        """Offset of the byte after its last one, from the end of the header."""
        return self.begin + self.nbytes


@dataclass(frozen=True)
class Plan:
    """The plan of one file. It can be streamed from any byte.

    Args:
        generator: Name and version of the generator, which determines every bit.
        header: The file's first bytes, including its length field.
        tensors: In file order; empty for a rank without tensors.
        metadata: The strings in the header.
        warnings: What is allowed but probably not intended.
        forward: Constants that the forward pass needs, by name.
        recipe_order: The tensors' names in the recipe's order.
        unused: Tensors of the donor that are not copied, with the reason; None without a donor.
        memo: Cache of results that chunks of the file share; it does not affect the bytes.
    """

    generator: str
    header: bytes
    tensors: tuple[PlannedTensor, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    forward: dict[str, float] = field(default_factory=dict)
    recipe_order: tuple[str, ...] = ()
    unused: Mapping[str, str] | None = None
    memo: Memo = field(default_factory=Memo, compare=False, repr=False)

    @cached_property
    def nbytes(self) -> int:
        """Size of the whole file in bytes."""
        return len(self.header) + (self.tensors[-1].end if self.tensors else 0)

    @cached_property
    def is_slow(self) -> bool:
        """Whether computing one chunk may take seconds."""
        return any(
            actual > _QUICK_DEMANDS.get(setting, 0)
            for tensor in self.tensors
            for setting, actual in tensor.source.demands()
        )

    @cached_property
    def total_parameters(self) -> int:
        """Number of elements of all tensors."""
        return sum(tensor.elements for tensor in self.tensors)

    @cached_property
    def _runs(self) -> list[tuple[int, int, int]]:
        """Runs of tensors with the same element size: (begin, end, size).

        Offsets count from the end of the header. There are few runs, because tensors are sorted
        by element size.
        """
        runs: dict[int, tuple[int, int, int]] = {}
        for tensor in self.tensors:
            size = tensor.dtype.size
            begin, *_ = runs.get(size, (tensor.begin,))
            runs[size] = (begin, tensor.end, size)
        return list(runs.values())

    def count_values(self, start: int, stop: int) -> int:
        """Return the number of values whose first byte lies in [start, stop) of the file."""
        return sum(
            _count_begun(stop - len(self.header), *run)
            - _count_begun(start - len(self.header), *run)
            for run in self._runs
        )

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the header and every tensor's `Source.identity`."""
        hashed = hashlib.sha256(self.header)
        for tensor in self.tensors:
            hashed.update(tensor.source.identity.encode())
        return hashed.hexdigest()

    @property
    def etag(self) -> str:
        """The strong HTTP entity tag. Equal tags mean equal bytes, in every release."""
        return f'"p1-{self.digest}"'


def _count_begun(offset: int, begin: int, end: int, size: int) -> int:
    """Return the number of values of a run that begin before an offset."""
    return -((begin - min(max(offset, begin), end)) // size)
