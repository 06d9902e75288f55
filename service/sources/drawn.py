"""Values drawn by generator v1: a block of a tensor in the order of its draws."""

import math
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from service.catalogue.distributions import Distribution
from service.catalogue.schemes import Scheme
from service.numerics.cast import DType
from service.numerics.fans import Geometry
from service.numerics.keys import Stream
from service.numerics.memo import Memo
from service.numerics.positions import coordinate_on


class Backend(Protocol):
    """Computes drawn values into host memory; every backend computes the same bits."""

    name: str

    def fill(self, drawn: "Drawn", first: int, out: NDArray[np.uint8], memo: Memo) -> None:
        """Write elements of a block as the file stores them.

        Args:
            drawn: The block.
            first: Index in the block, row-major, of the first element.
            out: uint8, shape (n * dtype size,): room for n whole elements, of any alignment.
            memo: Results that chunks of the same file share.
        """

    def allocate(self, nbytes: int) -> NDArray[np.uint8]:
        """Return memory that it writes to fastest: uint8, shape (nbytes,), at least one byte."""


class Region(NamedTuple):
    """A stretch of one axis under one law; a tensor without ``parts`` is a single region.

    Args:
        start: First coordinate on the tensor's cut axis.
        stop: Coordinate after the last.
        law: The distribution of its elements.
        scheme: The scheme that resolved to the law.
        geometry: What the scheme was resolved for.
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


class Drawn(NamedTuple):
    """A block of a tensor whose values generator v1 draws, row-major in the order of the draws.

    Args:
        dtype: How the values are stored.
        full_shape: Dimensions of the tensor whose element indices choose the draws.
        block: [start, stop) on each axis: the part of the full tensor that is filled.
        stream: Random stream of the values.
        mask: Random stream of everything else.
        axis: The axis that the regions cut; 0 if there is one region.
        regions: In order, covering the axis.
    """

    dtype: DType
    full_shape: tuple[int, ...]
    block: tuple[tuple[int, int], ...]
    stream: Stream
    mask: Stream
    axis: int
    regions: tuple[Region, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the block."""
        return math.prod([stop - start for start, stop in self.block]) * self.dtype.size

    @property
    def cut(self) -> tuple[int, int]:
        """(stride, size): an index's coordinate on the cut axis is index // stride % size."""
        return coordinate_on(self.regions[0].geometry.shape, self.axis)

    @property
    def held_regions(self) -> tuple[Region, ...]:
        """All regions: a block in the order of its draws is explained as the full tensor is."""
        return self.regions

    @property
    def identity(self) -> str:
        """One line that decides the values: laws, stream and slice.

        ``law stream slice``, where several laws are ``axis:start-stop=law`` joined by ``;`` and the
        slice is ``start:stop/dimension`` an axis, joined by ``,``.
        """
        if len(self.regions) == 1:
            laws = self.regions[0].identity
        else:
            laws = ";".join(f"{self.axis}:{r.start}-{r.stop}={r.identity}" for r in self.regions)
        block = ",".join(
            f"{start}:{stop}/{size}"
            for (start, stop), size in zip(self.block, self.full_shape, strict=True)
        )
        return f"{laws} {self.stream.hex()} {block}\n"

    def details(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the full tensor's shape and the block, where ``shape`` is another."""
        if shape == self.full_shape:
            return {}
        return {"full_shape": self.full_shape, "slice": self.block}

    def demands(self) -> Iterator[tuple[str, int]]:
        """Yield (limit, amount) for what the laws need beyond one draw an element."""
        for region in self.regions:
            yield from region.law.demands.items()

    def fill(self, first: int, out: NDArray[np.uint8], backend: Backend, memo: Memo) -> None:
        """Write elements as the file stores them: see `Source.fill`."""
        backend.fill(self, first, out, memo)
