"""Casts against ml_dtypes, an independent implementation of the narrow formats."""

import ml_dtypes
import numpy as np
import pytest

from service.numerics.cast import DTYPES, recast

ORACLES = {
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}


def every_kind_of_float32() -> np.ndarray:
    """Every exponent, with mantissas at and beside every rounding boundary, both signs."""
    exponents = np.arange(255, dtype=np.uint32) << 23
    tops = np.arange(0, 1 << 23, 1 << 12, dtype=np.uint32)
    mantissas = np.unique(np.concatenate([tops, tops + 1, tops - 1 + (tops == 0)]))
    bits = (exponents[:, None] | mantissas[None, :]).ravel()
    bits = np.concatenate([bits, bits | np.uint32(1 << 31)])
    return bits.view(np.float32)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_cast_rounds_otherwise_than_the_oracle(name: str) -> None:
    values = every_kind_of_float32()
    dtype = DTYPES[name]
    ours = np.asarray(dtype.cast(np, values.astype(np.float64))).view(f"u{dtype.size}")
    theirs = values.astype(ORACLES[name]).view(f"u{dtype.size}")
    finite = np.isfinite(theirs.view(ORACLES[name]).astype(np.float32))
    assert (ours[finite] == theirs[finite]).all()
    assert ((ours[~finite] & (1 << (8 * dtype.size - 1)) - 1) > dtype.largest).all()
    assert finite.any()
    assert not finite.all()


@pytest.mark.parametrize("name", [*ORACLES, "F32", "F64"])
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_smallest_or_largest_is_not_the_formats(name: str) -> None:
    dtype, oracle = DTYPES[name], ORACLES.get(name, np.dtype(DTYPES[name].storage).type)
    limits = ml_dtypes.finfo(oracle)
    assert dtype.smallest == float(limits.smallest_normal)
    assert dtype.holds(float(limits.max))
    assert not dtype.holds(float("inf"))
    assert dtype.largest == int.from_bytes(np.array(limits.max, dtype=oracle).tobytes(), "little")


def test_narrow_dtype_skips_the_float32() -> None:
    """1 + 2^-8 + 2^-40 lies past BF16's tie, and its float32 on it."""
    x = np.array([1 + 2.0**-8 + 2.0**-40])
    assert DTYPES["BF16"].cast(np, x).tolist() == [0x3F80]


@pytest.mark.parametrize(("value", "held"), [(3.0, True), (0.5, False), (2.0**53, False)])
def test_i64_holds_what_it_should_not(value: float, *, held: bool) -> None:
    assert DTYPES["I64"].holds(value) is held


def every_code(name: str) -> np.ndarray:
    size = DTYPES[name].size
    return np.arange(1 << 8 * size, dtype=f"<u{size}")


@pytest.mark.parametrize("name", ORACLES)
def test_code_is_read_otherwise_than_by_the_oracle(name: str) -> None:
    codes = every_code(name)
    ours = DTYPES[name].decoded(codes.view(np.uint8))
    with np.errstate(invalid="ignore"):
        theirs = codes.view(ORACLES[name]).astype(np.float64)
    lost = np.isnan(theirs)
    assert (np.isnan(ours) == lost).all()
    assert ours[~lost].tobytes() == theirs[~lost].tobytes()


@pytest.mark.parametrize("wanted", [*ORACLES, "F32", "F64"])
@pytest.mark.parametrize("held", ORACLES)
def test_code_is_cast_otherwise_than_by_the_oracle(held: str, wanted: str) -> None:
    codes = every_code(held)
    kind = ORACLES.get(wanted, DTYPES[wanted].storage)
    ours = recast(codes.view(np.uint8), DTYPES[held], DTYPES[wanted]).view(kind)
    with np.errstate(over="ignore", invalid="ignore"):
        theirs = codes.view(ORACLES[held]).astype(np.float32).astype(kind)
        lost = np.isnan(theirs.astype(np.float64))
        assert (np.isnan(ours.astype(np.float64)) == lost).all()
        assert (np.signbit(ours.astype(np.float64)) == np.signbit(theirs.astype(np.float64))).all()
    assert ours[~lost].tobytes() == theirs[~lost].tobytes()


@pytest.mark.parametrize("wanted", ORACLES)
def test_nan_becomes_a_number(wanted: str) -> None:
    """The NaNs whose payload is all in bits that a narrower type lacks, or fills them."""
    bits = np.array([0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00000], dtype=np.uint32)
    made = recast(bits.view(np.uint8), DTYPES["F32"], DTYPES[wanted])
    values = DTYPES[wanted].decoded(made)
    assert np.isnan(values).all()
    assert np.signbit(values).tolist() == [False, True, False, True, False]
