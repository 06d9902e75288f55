"""The plan: everything that can fail is resolved; length and digest are known without drawing."""

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

_QUICK = {
    "max_orthogonal_side": 256,
    "max_whole_elements": 1 << 17,
    "max_matrices": 16,
    "max_chrono_elements": 256,
    "max_sinusoidal_elements": 1 << 14,
}
"""The largest demands, by limit, that take only milliseconds."""


class PlannedTensor(NamedTuple):
    """One tensor of the file.

    Args:
        name: Its name.
        dtype: How its values are stored.
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
        """Offset after its last byte, from the end of the header."""
        return self.begin + self.nbytes


@dataclass(frozen=True)
class Plan:
    """A whole file, ready to be streamed from any byte.

    Args:
        generator: The bit contract.
        header: The file's first bytes, including its length field.
        tensors: In file order; empty if a rank has none.
        metadata: The header's strings.
        warnings: What is allowed but probably not intended.
        forward: Constants that the forward pass needs, by name.
        recipe_order: The tensors' names in the recipe's order.
        unused: Tensors of the donor that are not copied, with the reason; None without a donor.
        memo: Results that chunks of the file share; it does not affect the bytes.
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
        """Bytes of the whole file."""
        return len(self.header) + (self.tensors[-1].end if self.tensors else 0)

    @cached_property
    def is_slow(self) -> bool:
        """Whether computing a chunk may take long."""
        return any(
            actual > _QUICK.get(setting, 0)
            for tensor in self.tensors
            for setting, actual in tensor.source.demands()
        )

    @cached_property
    def total_parameters(self) -> int:
        """Elements of all tensors."""
        return sum(tensor.elements for tensor in self.tensors)

    @cached_property
    def _runs(self) -> list[tuple[int, int, int]]:
        """Runs of tensors of one element size: (begin, end, size), offsets after the header.

        There are few, because the file order sorts by element size.
        """
        runs: dict[int, tuple[int, int, int]] = {}
        for tensor in self.tensors:
            size = tensor.dtype.size
            begin, *_ = runs.get(size, (tensor.begin,))
            runs[size] = (begin, tensor.end, size)
        return list(runs.values())

    def values(self, start: int, stop: int) -> int:
        """Return how many values begin in [start, stop) of the file's bytes."""
        return sum(
            _begun(stop - len(self.header), *run) - _begun(start - len(self.header), *run)
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
        """The strong HTTP entity tag: equal tags mean equal bytes, always."""
        return f'"p1-{self.digest}"'


def _begun(offset: int, begin: int, end: int, size: int) -> int:
    """Return how many values of a run begin before an offset."""
    return -((begin - min(max(offset, begin), end)) // size)
