"""From float64 values to the bits of each dtype, every step rounding to nearest even.

F32 is the float64 value's nearest; F16, BF16 and the F8 formats are the nearest of that F32, so
that a narrow file is exactly the cast of the F32 file.

Sources:
    Micikevicius et al. 2022, "FP8 formats for deep learning": https://arxiv.org/abs/2209.05433
    (E4M3 has no infinity and one NaN; E5M2 follows IEEE 754.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from service.numerics.array import Array, Namespace


def to_f64(xp: Namespace, values: Array) -> Array:
    """Return the values as they are: float64, same shape."""
    return values


def to_f32(xp: Namespace, values: Array) -> Array:
    """Return float32, nearest even, same shape."""
    return values.astype(xp.float32)


def to_f16(xp: Namespace, values: Array) -> Array:
    """Return float16, the nearest even of the float32 value, same shape."""
    return to_f32(xp, values).astype(xp.float16)


def to_bf16(xp: Namespace, values: Array) -> Array:
    """Return the bits of bfloat16 as uint16, the nearest even of the float32 value."""
    bits = to_f32(xp, values).view(xp.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(xp.uint16)


def _to_f8(xp: Namespace, values: Array, mantissa: int, bias: int, overflow: int) -> Array:
    f32 = to_f32(xp, values)
    bits = f32.view(xp.uint32)
    size = bits & 0x7FFFFFFF
    shift = 23 - mantissa
    smallest = (128 - bias) << 23  # float32 bits of the smallest normal value, 2^(1 - bias)
    rebased = xp.maximum(size, smallest) - ((127 - bias) << 23)
    normal = (rebased + ((1 << (shift - 1)) - 1) + ((rebased >> shift) & 1)) >> shift
    # Adding a power of two whose last place is one subnormal step makes the addition itself round
    # to that step; the low bits of the sum count the steps.
    magic = xp.full(1, 2.0 ** (24 - bias - mantissa), dtype=xp.float32)
    subnormal = (size.view(xp.float32) + magic).view(xp.uint32) - magic.view(xp.uint32)
    code = xp.minimum(xp.where(size < smallest, subnormal, normal), overflow)
    return (code | ((bits >> 24) & 0x80)).astype(xp.uint8)


def to_f8_e4m3(xp: Namespace, values: Array) -> Array:
    """Return the bits of e4m3fn as uint8; past 464 in size, NaN."""
    return _to_f8(xp, values, mantissa=3, bias=7, overflow=0x7F)


def to_f8_e5m2(xp: Namespace, values: Array) -> Array:
    """Return the bits of e5m2 as uint8; from 61,440 in size, infinity."""
    return _to_f8(xp, values, mantissa=2, bias=15, overflow=0x7C)


def to_i64(xp: Namespace, values: Array) -> Array:
    """Return int64; the plan lets only whole numbers below 2^53 through."""
    return values.astype(xp.int64)


def from_bits(values: Array) -> Array:
    """Return float64 of what NumPy has a type for, same shape."""
    with np.errstate(invalid="ignore"):  # of a signalling NaN, which comes out as a quiet one
        return values.astype(np.float64)


def from_bf16(bits: Array) -> Array:
    """Return float64 of the bits of bfloat16, which are the first half of a float32's."""
    return from_bits((bits.astype(np.uint32) << 16).view(np.float32))


def from_f8_e4m3(bits: Array) -> Array:
    """Return float64 of the bits of e4m3fn, which has no infinity and one NaN of each sign."""
    exponent, mantissa = (bits >> 3 & 15).astype(np.int64), (bits & 7).astype(np.float64)
    size = np.ldexp(np.where(exponent, 8 + mantissa, mantissa), np.maximum(exponent, 1) - 10)
    size = np.where(bits & 0x7F == 0x7F, np.nan, size)
    return np.where(bits & 0x80, -size, size)


def from_f8_e5m2(bits: Array) -> Array:
    """Return float64 of the bits of e5m2, which are the first half of a float16's."""
    return from_bits((bits.astype(np.uint16) << 8).view(np.float16))


@dataclass(frozen=True, eq=False)  # one object a dtype: comparing and hashing it costs nothing
class DType:
    """A dtype of the file.

    Args:
        name: safetensors spelling.
        storage: NumPy type whose bits are the file's: little-endian, unsigned where NumPy has none.
        cast: float64 values to that type.
        read: That type to float64 values.
        smallest: The smallest positive normal value; 0 for integers.
        largest: The bits of the largest finite value; any above it are infinite or NaN.
    """

    name: str
    storage: str
    cast: Callable[[Namespace, Array], Array]
    read: Callable[[Array], Array]
    smallest: float
    largest: int

    @cached_property
    def size(self) -> int:
        """Bytes of one element."""
        return np.dtype(self.storage).itemsize

    def decoded(self, raw: Array) -> Array:
        """Return the float64 values of a file's bytes, uint8 of whole elements."""
        return self.read(raw.view(self.storage))

    def holds(self, value: float) -> bool:
        """Return whether ``value`` is finite once cast to this dtype."""
        return _finite(self, value)


@lru_cache(maxsize=65_536)
def _finite(dtype: DType, value: float) -> bool:
    if dtype.largest == 0:
        return value.is_integer() and abs(value) < 2**53
    with np.errstate(over="ignore"):
        cast = np.asarray(dtype.cast(np, np.array([abs(value)])), dtype=dtype.storage)
    return int.from_bytes(cast.tobytes(), "little") <= dtype.largest


DTYPES = {
    dtype.name: dtype
    for dtype in (
        DType("F64", "<f8", to_f64, from_bits, 2.0**-1022, 0x7FEFFFFFFFFFFFFF),
        DType("F32", "<f4", to_f32, from_bits, 2.0**-126, 0x7F7FFFFF),
        DType("F16", "<f2", to_f16, from_bits, 2.0**-14, 0x7BFF),
        DType("BF16", "<u2", to_bf16, from_bf16, 2.0**-126, 0x7F7F),
        DType("F8_E4M3", "u1", to_f8_e4m3, from_f8_e4m3, 2.0**-6, 0x7E),
        DType("F8_E5M2", "u1", to_f8_e5m2, from_f8_e5m2, 2.0**-14, 0x7B),
        DType("I64", "<i8", to_i64, from_bits, 0.0, 0),
    )
}
"""Every dtype by its safetensors name; ``I64`` serves constants only."""

_NAN = {"BF16": 0x7FC0, "F8_E4M3": 0x7F, "F8_E5M2": 0x7E}
"""The quiet NaN of what NumPy has no type for: casts of drawn values never meet one."""


def recast(raw: Array, held: DType, wanted: DType) -> Array:
    """Return a file's bytes of one floating dtype as those of another, the nearest even.

    An infinity, or what is too large, becomes infinite, and NaN in E4M3, which has no infinity; NaN
    stays NaN with its sign.

    Args:
        raw: uint8, shape (bytes of whole elements,).
        held: What they are.
        wanted: What they are to be; narrower than F32 by way of F32, as drawn values are.
    """
    values = held.decoded(raw)
    with np.errstate(over="ignore", invalid="ignore"):
        made = np.asarray(wanted.cast(np, values), dtype=wanted.storage)
    if (code := _NAN.get(wanted.name)) is not None and (lost := np.isnan(values)).any():
        sign = np.signbit(values[lost]).astype(made.dtype) << (8 * wanted.size - 1)
        made[lost] = sign | code
    return made.view(np.uint8)
