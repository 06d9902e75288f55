"""The plan: everything that can fail, resolved. Its length and its digest need no number drawn."""

import hashlib
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from service.catalogue.distributions import Distribution
from service.catalogue.schemes import Scheme
from service.container.donor import DonorTensor
from service.errors import Problem
from service.numerics.cast import DType
from service.numerics.fans import Geometry
from service.numerics.keys import Stream
from service.numerics.memo import Memo
from service.numerics.positions import coordinate_on

_QUICK = {
    "max_orthogonal_side": 256,
    "max_whole_elements": 1 << 17,
    "max_matrices": 16,
    "max_chrono_elements": 256,
    "max_sinusoidal_elements": 1 << 14,
}
"""Up to what a law's demands take milliseconds."""


class Region(NamedTuple):
    """A stretch of one axis under one law; a tensor without ``parts`` is a single region.

    Args:
        start: First coordinate on the tensor's cut axis.
        stop: Coordinate after the last.
        law: What its elements follow.
        scheme: The scheme that gave the law.
        geometry: What the scheme saw.
    """

    start: int
    stop: int
    law: Distribution
    scheme: Scheme
    geometry: Geometry

    @property
    def identity(self) -> str:
        """The law's name and its parameters as float64 in 16 hexadecimal digits each."""
        values = self.law.parameters
        return f"{self.law.name}({struct.pack(f'>{len(values)}d', *values).hex(',', 8)})"


class PlannedTensor(NamedTuple):
    """One tensor of the file.

    Args:
        name: Its name.
        dtype: How its values are stored.
        full_shape: Dimensions of the tensor whose indices choose the draws.
        block: [start, stop) on each axis: what of it the file holds.
        shape: Dimensions in the file.
        stream: Where its values' randomness lives.
        mask: Where that of everything else does.
        axis: The axis that the regions cut; 0 where there is one region.
        regions: In order, covering the axis.
        order: The drawn axes in the order in which the file has them; empty: as they are.
        shuffle: A drawn axis and the order of its coordinates in the file, where that differs.
        begin: Offset of its first byte from the end of the header.
        donor: What its values are copied from, where they are not drawn.
    """

    name: str
    dtype: DType
    full_shape: tuple[int, ...]
    block: tuple[tuple[int, int], ...]
    shape: tuple[int, ...]
    stream: Stream
    mask: Stream
    axis: int
    regions: tuple[Region, ...]
    order: tuple[int, ...] = ()
    shuffle: tuple[int, tuple[int, ...]] | None = None
    begin: int = 0
    donor: DonorTensor | None = None

    @property
    def elements(self) -> int:
        """Elements of the block."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the block."""
        return self.elements * self.dtype.size

    @property
    def end(self) -> int:
        """Offset after its last byte, from the end of the header."""
        return self.begin + self.nbytes

    @property
    def cut(self) -> tuple[int, int]:
        """(stride, size): an index's coordinate on the cut axis is index // stride % size."""
        return coordinate_on(self.regions[0].geometry.shape, self.axis)

    @property
    def drawn_regions(self) -> tuple[Region, ...]:
        """The regions that a tensor cut out of a drawn one can meet; all of them otherwise."""
        if not self.order or len(self.regions) == 1 or not self.elements:
            return self.regions
        stride, size = self.cut
        low = high = 0
        step = 1
        for (start, stop), axis in zip(
            reversed(self.block), reversed(self.full_shape), strict=True
        ):
            if stride <= step < stride * size:
                low, high = low + start * step, high + (stop - 1) * step
            step *= axis
        first, last = low // stride, high // stride
        return tuple(r for r in self.regions if r.start <= last and first < r.stop)

    @property
    def identity(self) -> str:
        """One line that decides the tensor's bytes: laws, stream and slice.

        ``law stream slice``, where several laws are ``axis:start-stop=law`` joined by ``;`` and the
        slice is ``start:stop/dimension`` an axis, joined by ``,``. A file that has the axes in
        another order adds that, ``order 1,0``, and one that has coordinates of an axis in another
        order ``shuffle 0:1,0,2``. Of a tensor that is copied: ``donor``, its dtype there and the
        SHA-256 of its bytes there, which are read for it.
        """
        if self.donor:
            return f"donor {self.donor.dtype} {self.donor.sha256}\n"
        if len(self.regions) == 1:
            laws = self.regions[0].identity
        else:
            laws = ";".join(f"{self.axis}:{r.start}-{r.stop}={r.identity}" for r in self.regions)
        cut = ",".join(
            f"{start}:{stop}/{size}"
            for (start, stop), size in zip(self.block, self.full_shape, strict=True)
        )
        turned = f" order {','.join(map(str, self.order))}" if self.order else ""
        if self.shuffle:
            turned += f" shuffle {self.shuffle[0]}:{','.join(map(str, self.shuffle[1]))}"
        return f"{laws} {self.stream.hex()} {cut}{turned}\n"


@dataclass(frozen=True)
class Plan:
    """A whole file, ready to be streamed from any byte.

    Args:
        generator: The bit contract.
        header: The file's first bytes, its length field included.
        tensors: In file order; none where a rank has none.
        metadata: The header's strings.
        warnings: What is allowed and probably not meant.
        forward: Constants that the forward pass needs, by name.
        asked: The tensors' names in the recipe's order.
        unused: Tensors of the donor that are not copied, with the reason; None without a donor.
        memo: What the chunks of one file share; it has no part in what the file is.
    """

    generator: str
    header: bytes
    tensors: tuple[PlannedTensor, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    forward: dict[str, float] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    unused: Mapping[str, str] | None = None
    memo: Memo = field(default_factory=Memo, compare=False, repr=False)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the whole file."""
        return len(self.header) + (self.tensors[-1].end if self.tensors else 0)

    @cached_property
    def is_slow(self) -> bool:
        """Whether a chunk may need what takes long to compute."""
        return any(
            actual > _QUICK.get(setting, 0)
            for tensor in self.tensors
            if tensor.donor is None
            for region in tensor.regions
            for setting, actual in region.law.demands.items()
        )

    @cached_property
    def total_parameters(self) -> int:
        """Elements of all tensors."""
        return sum(tensor.elements for tensor in self.tensors)

    @cached_property
    def _runs(self) -> list[tuple[int, int, int]]:
        """Stretches of the file whose values have one size: (begin, end, size), behind the header.

        There are few, for tensors are in order of that.
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
        """Hexadecimal SHA-256 of the header and every tensor's `PlannedTensor.identity`."""
        hashed = hashlib.sha256(self.header)
        for tensor in self.tensors:
            hashed.update(tensor.identity.encode())
        return hashed.hexdigest()

    @property
    def etag(self) -> str:
        """The strong HTTP entity tag: the same tag is the same bytes, always."""
        return f'"p1-{self.digest}"'


def _begun(offset: int, begin: int, end: int, size: int) -> int:
    """Return how many values of a run begin before an offset."""
    return -((begin - min(max(offset, begin), end)) // size)
