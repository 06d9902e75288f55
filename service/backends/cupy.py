"""The backend for GPUs: the same values as on the CPU, copied to the host chunk by chunk.

The GPU computes long runs of the drawn laws, and orthonormal matrices, with kernel.cu. The CPU
computes everything else and everything small, with the same bits. It also computes a chunk when the
GPU fails, for example because its memory is full; only the count of such chunks shows this.
"""

import importlib
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.backends.cuda import CupyReflections, compile_kernels
from service.backends.native import CONSTANT, EncodedLaw, encode_law
from service.backends.numpy import NumpyBackend
from service.catalogue.distributions import Orthogonal
from service.errors import BackendUnavailable
from service.numerics.array import Array
from service.numerics.memo import Memo
from service.numerics.positions import Block
from service.numerics.quantile import table_bytes
from service.sources import Backend, Drawn, Region

_log = logging.getLogger("tensorseed")

_MIN_GPU_BYTES = 1 << 17
"""The fewest bytes that a GPU computes; the CPU is faster for less."""

_SLOT_BYTES = 1 << 22
"""Bytes of a slot's buffer on its GPU. It limits the size of a piece."""

_SLOTS = 2
"""Slots on each GPU: while one piece is copied to the host, the next one is computed."""

_MAX_RUNS = 64
"""The most runs in a piece that a GPU computes; the CPU is faster for more."""

_ALIGNMENT = 64
"""Alignment of runs in bytes: at least four elements of any dtype."""

_MIN_MATRIX_SIDE = 256
"""The fewest rows and columns of an orthonormal matrix that a GPU computes."""

_PAUSE_SECONDS = 10.0
"""Seconds for which GPUs are not used after a failure, such as full memory."""

_THREADS = 256
_LAWS = {1: "uniform", 2: "normal", 3: "truncated_normal"}


class _Run(NamedTuple):
    """Elements that are consecutive in the piece and in the full tensor, and have one law.

    Args:
        at: Index of the first one in the piece.
        start: Index of the first one in the full tensor.
        elements: Number of elements.
        law: Their law.
    """

    at: int
    start: int
    elements: int
    law: EncodedLaw


class _Slot(NamedTuple):
    """The resources that compute one piece at a time.

    Args:
        device: Number of the GPU.
        stream: CUDA stream on that GPU.
        buffer: uint8, shape (bytes,), on the GPU.
        kernels: Looks up a kernel by name.
        table: Table of the quantile function, on the GPU.
    """

    device: int
    stream: Any
    buffer: Array
    kernels: Any
    table: Array


class CupyBackend:
    """Computes on all GPUs of this machine with CuPy.

    Args:
        cpu: Computes what is too small for a GPU, and what a GPU fails to compute.
        cupy: The module; imported if left out.

    Raises:
        BackendUnavailable: CuPy is not installed, finds no GPU, or cannot compile for it.
    """

    name = "cupy"

    def __init__(self, cpu: Backend, cupy: Any = None) -> None:
        self.cpu = cpu
        self.fallbacks = 0
        """Number of chunks that a GPU failed to compute."""
        self._reported_fallbacks = 0
        self._paused_until = 0.0
        self._cupy = cupy or _import_cupy()
        self.kernels = [
            compile_kernels(self._cupy, device) for device in range(_count_devices(self._cupy))
        ]
        self._slots: SimpleQueue[tuple[int, _Slot | None]] = SimpleQueue()
        for _ in range(_SLOTS):  # alternating between devices, so that streams use all of them
            for device in range(len(self.kernels)):
                self._slots.put((device, None))

    def allocate(self, nbytes: int) -> NDArray[np.uint8]:
        """Return pinned host memory, to which a GPU copies while threads compute."""
        try:
            pinned = self._cupy.cuda.alloc_pinned_memory(nbytes)
        except self._errors:  # no pinned memory is left
            return self.cpu.allocate(nbytes)
        return np.frombuffer(pinned, dtype=np.uint8, count=nbytes)

    def fill(self, drawn: Drawn, first: int, out: NDArray[np.uint8], memo: Memo) -> None:
        """Write elements of a block: see `Backend.fill`."""
        if time.monotonic() < self._paused_until or not self._try(drawn, first, out, memo):
            self.cpu.fill(drawn, first, out, memo)

    def _try(self, drawn: Drawn, first: int, out: NDArray[np.uint8], memo: Memo) -> bool:
        """Write elements with a GPU if that is faster; return whether they were written."""
        try:
            if _is_matrix(drawn):
                self._fill_from_matrix(drawn, first, out, memo)
                return True
            return len(out) >= _MIN_GPU_BYTES and self._fill_from_runs(drawn, first, out)
        except self._errors as error:
            self.fallbacks += 1
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            _log.warning(
                "a GPU failed; the CPU computes for the next %g s: %s",
                _PAUSE_SECONDS,
                str(error)[:200],
            )
            return False

    def take_fallbacks(self) -> int:
        """Return how many chunks a GPU failed to compute since the last call."""
        fallbacks, self._reported_fallbacks = (
            self.fallbacks - self._reported_fallbacks,
            self.fallbacks,
        )
        return fallbacks

    @property
    def _errors(self) -> tuple[type[Exception], ...]:
        cuda = self._cupy.cuda
        return (
            cuda.memory.OutOfMemoryError,
            cuda.runtime.CUDARuntimeError,
            cuda.driver.CUDADriverError,
        )

    def _fill_from_runs(self, drawn: Drawn, first: int, out: NDArray[np.uint8]) -> bool:
        """Write elements run by run; return False if `_runs` finds none for a GPU."""
        size = drawn.dtype.size
        step = _SLOT_BYTES // 2 // size
        for done in range(0, len(out) // size, step):
            piece = out[done * size : (done + step) * size]
            runs = _runs(drawn, first + done, len(piece) // size)
            if runs is None:
                return False
            with self._slot() as slot:
                _compute_runs(slot, drawn, runs, piece, self._cupy.cuda.runtime)
        return True

    def _fill_from_matrix(
        self, drawn: Drawn, first: int, out: NDArray[np.uint8], memo: Memo
    ) -> None:
        """Write elements of orthonormal matrices, which stay on one GPU while they are in use."""
        device = drawn.stream.k0 % len(self.kernels)
        with self._slot(), self._cupy.cuda.Device(device):  # only held to limit concurrency
            reflections = CupyReflections(self._cupy, self.kernels[device])
            reference = NumpyBackend(reflections, self._cupy, _SLOT_BYTES)
            reference.fill(drawn, first, out, _DeviceMemo(memo, device))  # type: ignore[arg-type]

    @contextmanager
    def _slot(self) -> Iterator[_Slot]:
        device, slot = self._slots.get()
        try:
            with self._cupy.cuda.Device(device):
                slot = slot or self._new_slot(device)
                yield slot
        finally:
            self._slots.put((device, slot))

    def _new_slot(self, device: int) -> _Slot:
        cupy = self._cupy
        table = cupy.asarray(np.frombuffer(table_bytes(), dtype=np.uint32))
        stream = cupy.cuda.Stream(non_blocking=True)
        buffer = cupy.empty(_SLOT_BYTES, dtype=cupy.uint8)
        cupy.cuda.Device(device).synchronize()  # so that every stream can read the table
        return _Slot(device, stream, buffer, self.kernels[device], table)


class _DeviceMemo:
    """A memo for results on a GPU, separate from those on the host."""

    def __init__(self, memo: Memo, device: int) -> None:
        self._memo = memo
        self._device = device

    def get(self, group: Any, key: Any, make: Any) -> Any:
        """Return a cached result, or compute it with ``make``."""
        return self._memo.get((group, "gpu", self._device), key, make)


def _import_cupy() -> Any:
    try:
        return importlib.import_module("cupy")  # hidden from import-linter, because it is an extra
    except ImportError:
        raise BackendUnavailable(
            "the backend cupy needs CuPy: pip install 'tensorseed[cuda12]' or 'tensorseed[cuda13]'"
        ) from None


def _count_devices(cupy: Any) -> int:
    """Return the number of usable GPUs."""
    try:
        count = int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise BackendUnavailable(f"CuPy finds no GPU: {error}") from None
    if not count:
        raise BackendUnavailable("CuPy finds no GPU")
    return count


def _is_matrix(drawn: Drawn) -> bool:
    """Return whether a tensor consists of orthonormal matrices that are large enough for a GPU."""
    laws = [region.law for region in drawn.regions]
    return all(isinstance(law, Orthogonal) for law in laws) and any(
        isinstance(law, Orthogonal) and min(law.matrix_shape) >= _MIN_MATRIX_SIDE for law in laws
    )


def _runs(drawn: Drawn, first: int, count: int) -> list[_Run] | None:
    """Return the runs of a range of elements; None if they are too many or a law lacks a kernel."""
    runs: list[_Run] = []
    for at, index, length in Block(drawn.full_shape, drawn.block).runs(first, count):
        for begin, end, region in _split_by_law(drawn, index, index + length):
            law = encode_law(region.law)
            if law is None or len(runs) == _MAX_RUNS:
                return None
            runs.append(_Run(at + begin - index, begin, end - begin, law))
    return runs


def _split_by_law(drawn: Drawn, start: int, stop: int) -> Iterator[tuple[int, int, Region]]:
    """Split a range of the full tensor where the law changes: yield (start, stop, region)."""
    if len(drawn.regions) == 1:
        yield start, stop, drawn.regions[0]
        return
    stride, size = drawn.cut
    while start < stop:
        coordinate = start // stride % size
        region = next(region for region in drawn.regions if region.stop > coordinate)
        end = min(stop, start - start % stride + (region.stop - coordinate) * stride)
        yield start, end, region
        start = end


def _compute_runs(
    slot: _Slot, drawn: Drawn, runs: list[_Run], piece: NDArray[np.uint8], runtime: Any
) -> None:
    """Compute runs on the GPU, copy them to the host and wait. Other threads run meanwhile."""
    size, used = drawn.dtype.size, 0
    try:
        for run in runs:
            to = piece[run.at * size : (run.at + run.elements) * size]
            if run.law[0] == CONSTANT:
                value = drawn.dtype.cast(np, np.array([run.law[3]]))
                to.view(drawn.dtype.storage)[:] = value
                continue
            begin, skip = slot.buffer.data.ptr + used, run.start % 4 * size
            with slot.stream:
                _launch_kernel(slot, drawn, run, begin)
            kind = runtime.memcpyDeviceToHost
            runtime.memcpyAsync(to.ctypes.data, begin + skip, len(to), kind, slot.stream.ptr)
            used += math.ceil((skip + len(to) + 4 * size) / _ALIGNMENT) * _ALIGNMENT
    finally:
        slot.stream.synchronize()  # even after an error: nothing may be copied once others write


def _launch_kernel(slot: _Slot, drawn: Drawn, run: _Run, begin: int) -> None:
    """Launch the kernel that writes a run to an address on the GPU."""
    law, first, words, *parameters = run.law
    kernel = slot.kernels(f"{_LAWS[law]}_{drawn.dtype.name}")
    arguments = (
        *map(np.uint32, drawn.stream),
        np.uint64(run.start),
        np.uint64(run.elements),
        *map(np.float64, parameters),
        np.uint32(first),
        np.uint32(words & 0xFFFFFFFF),
        slot.table,
        np.uint64(begin),
    )
    blocks = min(4096, math.ceil(run.elements / 4 / _THREADS) + 1)
    kernel((blocks,), (_THREADS,), arguments)
