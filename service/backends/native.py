"""The backend in C: the same values as NumPy's, several times faster, without the GIL."""

from struct import Struct

import numpy as np
from numpy.typing import NDArray

from service import native
from service.backends.numpy import NumpyBackend
from service.backends.reflections import NativeReflections
from service.catalogue.distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform
from service.numerics.memo import Memo
from service.numerics.quantile import UNIT, table_bytes
from service.sources.buffers import pages
from service.sources.drawn import Drawn

# The structs ts_tensor, ts_axis and ts_region of service/native/kernel.h.
_DTYPES = {"F64": 0, "F32": 1, "F16": 2, "BF16": 3, "F8_E4M3": 4, "F8_E5M2": 5, "I64": 6}
_TENSOR, _AXIS, _REGION = Struct("=9Q"), Struct("=3Q"), Struct("=4Q4d")
_UNIFORM, _NORMAL, _TRUNCATED_NORMAL = 1, 2, 3

CONSTANT = 0

EncodedLaw = tuple[int, int, int, float, float, float, float]
"""A law as kernels read it: its number, two words for a truncated one, and four parameters."""


class NativeBackend:
    """Computes on the CPU with the compiled kernel, and with NumPy where that lacks the law.

    Args:
        path: A name in `native.PATHS`.
    """

    def __init__(self, path: str) -> None:
        self.name = path
        self._path = native.PATHS.index(path)
        self._table = table_bytes()
        self._fallback = NumpyBackend(NativeReflections(self._path))

    def fill(self, drawn: Drawn, first: int, out: NDArray[np.uint8], memo: Memo) -> None:
        """Write elements of a block: see `Backend.fill`."""
        encoded = program(drawn) if len(out) else None
        if encoded is None:
            self._fallback.fill(drawn, first, out, memo)
        else:
            native.fill(self._path, self._table, encoded, first, out.data)

    def allocate(self, nbytes: int) -> NDArray[np.uint8]:
        """Allocate memory from the system: uint8, shape (nbytes,), at least one byte."""
        return pages(nbytes)


def program(drawn: Drawn) -> bytes | None:
    """Return a block encoded for the kernel; None if the kernel lacks one of its laws."""
    full, regions = drawn.full_shape, drawn.regions
    single = len(regions) == 1  # encoded as the only coordinate of an axis of size 1
    cut = (1, 1) if single else drawn.cut
    parts = [_TENSOR.pack(_DTYPES[drawn.dtype.name], len(full), *cut, len(regions), *drawn.stream)]
    for size, (start, stop) in zip(full, drawn.block, strict=True):
        parts.append(_AXIS.pack(size, start, stop))
    for region in regions:
        law = encode_law(region.law)
        if law is None:
            return None
        parts.append(_REGION.pack(1 if single else region.stop, *law))
    return b"".join(parts)


def encode_law(law: Distribution) -> EncodedLaw | None:
    """Return a law encoded for kernels; None if they lack it."""
    match law:
        case Normal():
            return _NORMAL, 0, 0, law.mean, law.std * UNIT, 0.0, 0.0
        case Uniform():
            return _UNIFORM, 0, 0, law.centre, law.step, law.low, law.high
        case Constant():
            return CONSTANT, 0, 0, law.value, 0.0, 0.0, 0.0
        case TruncatedNormal():
            words = law.last - law.first + 1
            if words == 2**32:  # nothing is truncated
                return _NORMAL, 0, 0, law.mean, law.std * UNIT, 0.0, 0.0
            return _TRUNCATED_NORMAL, law.first, words, law.mean, law.std * UNIT, 0.0, 0.0
    return None
