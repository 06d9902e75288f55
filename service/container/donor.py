"""A donor: a trained network's safetensors file, whose tensors a grown network starts with.

Source: Simonyan & Zisserman 2015, section 3.1: https://arxiv.org/abs/1409.1556
"""

import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import RawIOBase
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.container.header import layout_problem, read_header
from service.errors import UnreadableFile, truncate
from service.limits import MAX_DIMENSION, Limits
from service.numerics.cast import DTYPES, DType, recast

_BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16"), 16),
    **dict.fromkeys(("I32", "U32"), 32),
    **dict.fromkeys(("U64", "C64"), 64),
    **{name: 8 * dtype.size for name, dtype in DTYPES.items()},
}
"""Bits of one element, for every dtype of safetensors files."""

_MAX_AXES = 64
"""Most axes of a tensor in any framework."""

_CAST_ELEMENTS = 1 << 16
"""Elements cast at once. Their float64 values fit in a core's cache."""

_HASH_BYTES = 1 << 20
"""Bytes hashed at once."""


class DonorFile:
    """A file that threads read concurrently.

    It is not memory-mapped: mapped pages count as the process's memory, and if a mapped file is
    truncated, reading it kills the process.

    Args:
        file: Unbuffered; `close` closes it.
    """

    def __init__(self, file: RawIOBase) -> None:
        self.raw, self._lock = file, Lock()

    def read(self, offset: int, out: NDArray[np.uint8]) -> None:
        """Read the bytes from ``offset`` on into ``out``.

        Raises:
            UnreadableFile: The file ends too early.
            ValueError: The file is closed.
        """
        view, done = out.data, 0
        with self._lock:
            self.raw.seek(offset)
            while done < len(view):
                count = self.raw.readinto(view[done:])
                if not count:
                    raise UnreadableFile("the file was truncated while it was read")
                done += count

    def append(self, data: bytes) -> None:
        """Append bytes to the file.

        Raises:
            OSError: The disk is full.
            ValueError: The file is closed.
        """
        rest = memoryview(data)
        with self._lock:
            while rest:
                rest = rest[self.raw.write(rest) or 0 :]

    def close(self) -> None:
        """Close the file as soon as no thread is reading."""
        with self._lock:
            self.raw.close()


@dataclass(frozen=True, eq=False)
class DonorTensor:
    """A tensor of a donor.

    Args:
        file: The donor's file.
        dtype: safetensors spelling.
        shape: Dimensions.
        begin: Offset of its first byte in the file.
        nbytes: Number of bytes.
    """

    file: DonorFile
    dtype: str
    shape: tuple[int, ...]
    begin: int
    nbytes: int

    def casts_to(self, dtype: DType) -> bool:
        """Return whether its values can be cast to ``dtype``: the same dtype, or float to float."""
        own = DTYPES.get(self.dtype)
        return own is dtype or (own is not None and bool(own.largest and dtype.largest))

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of its bytes in hexadecimal. The first use reads all bytes."""
        hashed = hashlib.sha256()
        piece = np.empty(min(self.nbytes, _HASH_BYTES), dtype=np.uint8)
        for at in range(0, self.nbytes, _HASH_BYTES):
            part = piece[: self.nbytes - at]
            self.file.read(self.begin + at, part)
            hashed.update(part.data)
        return hashed.hexdigest()

    def fill(self, first: int, out: NDArray[np.uint8], dtype: DType) -> None:
        """Write elements from ``first`` on into ``out``, cast to ``dtype``.

        Args:
            first: Index of the first element.
            out: uint8, shape (bytes of whole elements,).
            dtype: The dtype to cast to; see `casts_to`.
        """
        own = DTYPES[self.dtype]
        if own is dtype:
            self.file.read(self.begin + first * own.size, out)
            return
        count = len(out) // dtype.size
        for at in range(0, count, _CAST_ELEMENTS):
            raw = np.empty(min(_CAST_ELEMENTS, count - at) * own.size, dtype=np.uint8)
            self.file.read(self.begin + (first + at) * own.size, raw)
            cast = recast(raw, own, dtype)
            out[at * dtype.size :][: len(cast)] = cast


Donor = Mapping[str, DonorTensor]
"""The tensors of a donor, by name; usable while its file is open."""


def donor_of(file: DonorFile, limits: Limits | None = None) -> Donor:
    """Return the tensors of a file. Only the header is read.

    Args:
        file: Any file.
        limits: Limits for the header's bytes and the number of tensors; by default `Limits()`.

    Raises:
        UnreadableFile: The file is not a complete safetensors file.
    """
    limits = limits or Limits()
    file.raw.seek(0)
    listed, start = read_header(file.raw, limits.max_header_bytes)
    if len(listed) > limits.max_tensors:
        raise UnreadableFile(
            f"the file has {len(listed)} tensors; the limit (max_tensors) is {limits.max_tensors}"
        )
    nbytes = file.raw.seek(0, os.SEEK_END) - start
    spans = (entry["data_offsets"] for entry in listed.values())
    if problem := layout_problem(spans, nbytes):
        raise UnreadableFile(f"not a safetensors file: {problem}")
    return {name: _tensor(file, name, entry, start) for name, entry in listed.items()}


@contextmanager
def open_donor(path: Path | str, limits: Limits | None = None) -> Iterator[Donor]:
    """Open a donor for the duration of the block.

    Raises:
        UnreadableFile: The file is not a safetensors file.
        OSError: The file cannot be read.
    """
    with Path(path).open("rb", buffering=0) as file:
        yield donor_of(DonorFile(file), limits)


def _tensor(file: DonorFile, name: str, entry: dict[str, Any], start: int) -> DonorTensor:
    begin, end = entry["data_offsets"]
    dtype, shape = entry.get("dtype"), entry.get("shape", ())
    what = f"not a safetensors file: {truncate(name)!a}"
    if name != name.encode(errors="replace").decode():
        raise UnreadableFile(f"{what} contains an unpaired surrogate")
    if not isinstance(dtype, str) or dtype not in _BITS:
        named = ascii(truncate(dtype)) if isinstance(dtype, str) else "not a string"
        raise UnreadableFile(f"{what} has an unknown dtype, {named}")
    if not _is_shape(shape):
        raise UnreadableFile(f"{what} has an invalid shape")
    if math.prod(shape) * _BITS[dtype] != 8 * (end - begin):
        raise UnreadableFile(
            f"{what} has {end - begin} bytes, not the size of {dtype} with shape {truncate(shape)}"
        )
    return DonorTensor(file, dtype, tuple(shape), start + begin, end - begin)


def _is_shape(shape: Any) -> bool:
    return (
        isinstance(shape, list)
        and len(shape) <= _MAX_AXES
        and all(type(size) is int and 0 <= size <= MAX_DIMENSION for size in shape)
    )
