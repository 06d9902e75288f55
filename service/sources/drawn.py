"""Values drawn by generator v1: a block of a tensor, in the order in which it is drawn."""

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
    """Computes drawn values into host memory. All backends compute the same bits."""

    name: str

    def fill(self, drawn: "Drawn", first: int, out: NDArray[np.uint8], memo: Memo) -> None:
        """Write elements of a block in the format of the file.

        Args:
            drawn: The block.
            first: Row-major index in the block of the first element.
            out: uint8, shape (n * dtype size,): space for n whole elements, with any alignment.
            memo: Cache of results that chunks of the same file share.
        """

    def allocate(self, nbytes: int) -> NDArray[np.uint8]:
        """Return the memory that it writes fastest: uint8, shape (nbytes,), at least one byte."""


class Region(NamedTuple):
    """A range of one axis that has one law. A tensor without ``parts`` is a single region.

    Args:
        start: First coordinate on the axis that the regions divide.
        stop: Coordinate after the last one.
        law: The distribution of its elements.
        scheme: The scheme that resolved to the law.
        geometry: The shape, layout and fans for which the scheme was resolved.
    """

    start: int
    stop: int
    law: Distribution
    scheme: Scheme
    geometry: Geometry

    @property
    def identity(self) -> str:
        """Name of the law and its parameters, each a float64 in 16 hexadecimal digits."""
        values = self.law.parameters
        return f"{self.law.name}({struct.pack(f'>{len(values)}d', *values).hex(',', 8)})"


class Drawn(NamedTuple):
    """A block of a tensor that generator v1 draws; row-major, in the order of the draws.

    Args:
        dtype: The dtype in which the values are stored.
        full_shape: Dimensions of the full tensor, whose element indices determine the draws.
        block: [start, stop) on each axis: the part of the full tensor that is filled.
        stream: Random stream of the values.
        mask: Random stream of everything else, such as the positions of zeros.
        axis: The axis that the regions divide; 0 if there is one region.
        regions: The regions, in order. They cover the axis.
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
        """Size of the block in bytes."""
        return math.prod([stop - start for start, stop in self.block]) * self.dtype.size

    @property
    def cut(self) -> tuple[int, int]:
        """(stride, size) of the divided axis: a coordinate is index // stride % size."""
        return coordinate_on(self.regions[0].geometry.shape, self.axis)

    @property
    def block_regions(self) -> tuple[Region, ...]:
        """All regions, even those outside the block: it is explained like the full tensor."""
        return self.regions

    @property
    def identity(self) -> str:
        """One line that determines the values: ``law stream slice``.

        Several laws are each written ``axis:start-stop=law`` and joined by ``;``. The slice is
        ``start:stop/dimension`` for each axis, joined by ``,``.
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
        """Return the full shape and the block, if ``shape`` is not the full shape."""
        if shape == self.full_shape:
            return {}
        return {"full_shape": self.full_shape, "slice": self.block}

    def demands(self) -> Iterator[tuple[str, int]]:
        """Yield (limit, amount) for the work of the laws beyond one draw per element."""
        for region in self.regions:
            yield from region.law.demands.items()

    def fill(self, first: int, out: NDArray[np.uint8], backend: Backend, memo: Memo) -> None:
        """Write elements in the format of the file: see `Source.fill`."""
        backend.fill(self, first, out, memo)
