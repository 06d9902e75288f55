"""The backend in C: the same elements as NumPy's, several times as fast, outside Python's lock."""

import struct

import numpy as np
from numpy.typing import NDArray

from service import native
from service.backends.numpy import NumpyBackend
from service.distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform
from service.numerics.positions import coordinate_on
from service.numerics.quantile import UNIT, table_bytes
from service.plan import PlannedTensor

# As service/native/kernel.h has them: ts_tensor, ts_axis, ts_region.
_DTYPES = {"F64": 0, "F32": 1, "F16": 2, "BF16": 3, "F8_E4M3": 4, "F8_E5M2": 5, "I64": 6}
_TENSOR, _AXIS, _REGION = "9Q", "3Q", "4Q4d"
_CONSTANT, _UNIFORM, _NORMAL, _TRUNCATED_NORMAL = range(4)

_Law = tuple[int, int, int, float, float, float, float]


class NativeBackend:
    """Generates on the CPU with the compiled kernel; what that has no law for, with NumPy.

    Args:
        path: One of `native.PATHS`.
    """

    def __init__(self, path: str) -> None:
        self.name = path
        self._path = native.PATHS.index(path)
        self._table = table_bytes()
        self._rest = NumpyBackend()

    def fill(self, tensor: PlannedTensor, first: int, out: NDArray[np.uint8]) -> None:
        """Write elements of a tensor's block as the file stores them.

        Args:
            tensor: What to write.
            first: Index in the block, row-major, of the first element.
            out: uint8, shape (n * dtype size,): room for n whole elements, of any alignment.
        """
        made = program(tensor) if len(out) else None
        if made is None:
            self._rest.fill(tensor, first, out)
        else:
            native.fill(self._path, self._table, made, first, out.data)


def program(tensor: PlannedTensor) -> bytes | None:
    """Return a tensor as the kernel reads it; None where it has no such law."""
    laws = [_law(region.law) for region in tensor.regions]
    if None in laws:
        return None
    cut = coordinate_on(tensor.full_shape, tensor.axis) if len(laws) > 1 else (1, 1)
    stops = [region.stop for region in tensor.regions] if len(laws) > 1 else [1]
    axes = zip(tensor.full_shape, tensor.block, strict=True)
    return struct.pack(
        "=" + _TENSOR + _AXIS * len(tensor.full_shape) + _REGION * len(laws),
        *(_DTYPES[tensor.dtype.name], len(tensor.full_shape), *cut, len(laws), *tensor.stream),
        *(number for size, block in axes for number in (size, *block)),
        *(number for stop, law in zip(stops, laws, strict=True) for number in (stop, *(law or ()))),
    )


def _law(law: Distribution) -> _Law | None:
    match law:
        case Constant():
            return _CONSTANT, 0, 0, law.value, 0.0, 0.0, 0.0
        case Uniform():
            return _UNIFORM, 0, 0, law.centre, law.step, law.low, law.high
        case TruncatedNormal() if (words := law.last - law.first + 1) < 2**32:
            return _TRUNCATED_NORMAL, law.first, words, law.mean, law.std * UNIT, 0.0, 0.0
        case Normal() | TruncatedNormal():  # cut nowhere, the words stay what they are
            return _NORMAL, 0, 0, law.mean, law.std * UNIT, 0.0, 0.0
    return None
