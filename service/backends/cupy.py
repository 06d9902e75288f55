"""The backend of GPUs: the same elements as the CPU's, copied to the host as they are made.

Long runs of the drawn laws, and orthonormal matrices, are made by kernel.cu; what else there is,
and what is small, by the CPU, which gives the same bits. So is a chunk that a GPU cannot make,
because its memory is full or it is gone: nobody can tell, but for the count of such chunks.
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

from service.backends.cuda import CupyReflections, compiled
from service.backends.native import CONSTANT, Numbers, numbers_of
from service.backends.numpy import NumpyBackend
from service.catalogue.distributions import Orthogonal
from service.errors import BackendUnavailable
from service.numerics.array import Array
from service.numerics.memo import Memo
from service.numerics.positions import Block
from service.numerics.quantile import table_bytes
from service.sources import Backend, Drawn, Region

_log = logging.getLogger("tensorseed")

_SMALL = 1 << 17
"""Bytes of which fewer are sooner made by the CPU than launched."""

_BUFFER = 1 << 22
"""Bytes of a slot's memory on its GPU, and so of the pieces in which tensors are made."""

_SLOTS = 2
"""Pieces under way on one GPU: while one is copied to the host, the next one is made."""

_RUNS = 64
"""Runs of a piece of which more are sooner made by the CPU than launched."""

_ALIGNED = 64
"""Bytes to which runs are aligned: at least four elements of any dtype."""

_MATRIX = 256
"""Rows or columns below which an orthonormal matrix is sooner made by the CPU."""

_REST = 10.0
"""Seconds that a GPU is left alone after it failed: its memory may be another's for a while."""

_THREADS = 256
_LAWS = {1: "uniform", 2: "normal", 3: "truncated_normal"}


class _Run(NamedTuple):
    """Elements that stand side by side in the full tensor too, under one law.

    Args:
        at: Where the first is in the piece.
        start: Which it is in the full tensor.
        elements: How many.
        numbers: Their law.
    """

    at: int
    start: int
    elements: int
    numbers: Numbers


class _Slot(NamedTuple):
    """What makes one piece at a time.

    Args:
        device: Number of its GPU.
        stream: Its queue there.
        buffer: uint8, shape (bytes,), on the GPU.
        kernels: By name.
        table: The quantile's, on the GPU.
    """

    device: int
    stream: Any
    buffer: Array
    kernels: Any
    table: Array


class CupyBackend:
    """Generates on all GPUs of this machine, through CuPy.

    Args:
        cpu: Makes what is not worth a launch, and what a GPU cannot.
        cupy: The module; imported if left out.

    Raises:
        BackendUnavailable: CuPy is not installed, finds no GPU, or cannot compile for it.
    """

    name = "cupy"

    def __init__(self, cpu: Backend, cupy: Any = None) -> None:
        self.cpu = cpu
        self.fallbacks = 0
        """Chunks that a GPU could not make."""
        self._told = 0
        self._rests = 0.0
        self._cupy = cupy or _imported()
        self.kernels = [compiled(self._cupy, each) for each in range(_devices(self._cupy))]
        self._slots: SimpleQueue[tuple[int, _Slot | None]] = SimpleQueue()
        for _ in range(_SLOTS):  # device by device in turn, so that streams share them
            for device in range(len(self.kernels)):
                self._slots.put((device, None))

    def allocate(self, nbytes: int) -> NDArray[np.uint8]:
        """Return host memory that a GPU writes to by itself, while others compute."""
        try:
            pinned = self._cupy.cuda.alloc_pinned_memory(nbytes)
        except self._errors:  # the system lends no more of it
            return self.cpu.allocate(nbytes)
        return np.frombuffer(pinned, dtype=np.uint8, count=nbytes)

    def fill(self, drawn: Drawn, first: int, out: NDArray[np.uint8], memo: Memo) -> None:
        """Write elements of a tensor's block: see `Backend.fill`."""
        if time.monotonic() < self._rests or not self._try(drawn, first, out, memo):
            self.cpu.fill(drawn, first, out, memo)

    def _try(self, drawn: Drawn, first: int, out: NDArray[np.uint8], memo: Memo) -> bool:
        """Write elements by a GPU where that is worth it; return whether they are written."""
        try:
            if _is_matrix(drawn):
                self._fill_from_matrix(drawn, first, out, memo)
                return True
            return len(out) >= _SMALL and self._fill_from_runs(drawn, first, out)
        except self._errors as error:
            self.fallbacks += 1
            self._rests = time.monotonic() + _REST
            _log.warning("for %g s the CPU does what a GPU cannot: %s", _REST, str(error)[:200])
            return False

    def take_fallbacks(self) -> int:
        """Return how many chunks a GPU could not make since the last call."""
        fallbacks, self._told = self.fallbacks - self._told, self.fallbacks
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
        """Write what has a kernel and is not in many small pieces; return whether it was."""
        size = drawn.dtype.size
        step = _BUFFER // 2 // size
        for done in range(0, len(out) // size, step):
            piece = out[done * size : (done + step) * size]
            runs = _runs(drawn, first + done, len(piece) // size)
            if runs is None:
                return False
            with self._slot() as slot:
                _launch(slot, drawn, runs, piece, self._cupy.cuda.runtime)
        return True

    def _fill_from_matrix(
        self, drawn: Drawn, first: int, out: NDArray[np.uint8], memo: Memo
    ) -> None:
        """Write elements of orthonormal matrices, which stay on one GPU while they are needed."""
        device = drawn.stream.k0 % len(self.kernels)
        with self._slot(), self._cupy.cuda.Device(device):  # no more at once than there are slots
            reflections = CupyReflections(self._cupy, self.kernels[device])
            reference = NumpyBackend(reflections, self._cupy, _BUFFER)
            reference.fill(drawn, first, out, _Apart(memo, device))  # type: ignore[arg-type]

    @contextmanager
    def _slot(self) -> Iterator[_Slot]:
        device, slot = self._slots.get()
        try:
            with self._cupy.cuda.Device(device):
                slot = slot or self._made(device)
                yield slot
        finally:
            self._slots.put((device, slot))

    def _made(self, device: int) -> _Slot:
        cupy = self._cupy
        table = cupy.asarray(np.frombuffer(table_bytes(), dtype=np.uint32))
        stream = cupy.cuda.Stream(non_blocking=True)
        buffer = cupy.empty(_BUFFER, dtype=cupy.uint8)
        cupy.cuda.Device(device).synchronize()  # the table is there for every stream
        return _Slot(device, stream, buffer, self.kernels[device], table)


class _Apart:
    """A memo's results on a GPU, apart from those on the host."""

    def __init__(self, memo: Memo, device: int) -> None:
        self._memo = memo
        self._device = device

    def get(self, group: Any, key: Any, make: Any) -> Any:
        """Return a result, made now if it is not at hand."""
        return self._memo.get((group, "gpu", self._device), key, make)


def _imported() -> Any:
    try:
        return importlib.import_module("cupy")  # not seen by those who look for imports: an extra
    except ImportError:
        raise BackendUnavailable(
            "the backend cupy needs CuPy: pip install 'tensorseed[cuda12]' or 'tensorseed[cuda13]'"
        ) from None


def _devices(cupy: Any) -> int:
    """Return how many GPUs answer."""
    try:
        count = int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise BackendUnavailable(f"CuPy finds no GPU: {error}") from None
    if not count:
        raise BackendUnavailable("CuPy finds no GPU")
    return count


def _is_matrix(drawn: Drawn) -> bool:
    """Return whether a tensor is of orthonormal matrices that are worth a GPU."""
    laws = [region.law for region in drawn.regions]
    return all(isinstance(law, Orthogonal) for law in laws) and any(
        isinstance(law, Orthogonal) and min(law.matrix_shape) >= _MATRIX for law in laws
    )


def _runs(drawn: Drawn, first: int, count: int) -> list[_Run] | None:
    """Return the runs of so many elements; None where they are many, or a law has no kernel."""
    found: list[_Run] = []
    for at, index, length in Block(drawn.full_shape, drawn.block).runs(first, count):
        for begin, end, region in _under_one_law(drawn, index, index + length):
            numbers = numbers_of(region.law)
            if numbers is None or len(found) == _RUNS:
                return None
            found.append(_Run(at + begin - index, begin, end - begin, numbers))
    return found


def _under_one_law(drawn: Drawn, start: int, stop: int) -> Iterator[tuple[int, int, Region]]:
    """Cut elements of the full tensor where the law changes: (start, stop, region)."""
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


def _launch(
    slot: _Slot, drawn: Drawn, runs: list[_Run], piece: NDArray[np.uint8], runtime: Any
) -> None:
    """Have runs made and copied to the host, and wait for them; others compute meanwhile."""
    size, used = drawn.dtype.size, 0
    try:
        for run in runs:
            to = piece[run.at * size : (run.at + run.elements) * size]
            if run.numbers[0] == CONSTANT:
                value = drawn.dtype.cast(np, np.array([run.numbers[3]]))
                to.view(drawn.dtype.storage)[:] = value
                continue
            begin, skip = slot.buffer.data.ptr + used, run.start % 4 * size
            with slot.stream:
                _make(slot, drawn, run, begin)
            kind = runtime.memcpyDeviceToHost
            runtime.memcpyAsync(to.ctypes.data, begin + skip, len(to), kind, slot.stream.ptr)
            used += math.ceil((skip + len(to) + 4 * size) / _ALIGNED) * _ALIGNED
    finally:
        slot.stream.synchronize()  # also if one failed: nothing may arrive once others write


def _make(slot: _Slot, drawn: Drawn, run: _Run, begin: int) -> None:
    """Have a run made at an address of the GPU's."""
    law, first, words, *rest = run.numbers
    kernel = slot.kernels(f"{_LAWS[law]}_{drawn.dtype.name}")
    arguments = (
        *map(np.uint32, drawn.stream),
        np.uint64(run.start),
        np.uint64(run.elements),
        *map(np.float64, rest),
        np.uint32(first),
        np.uint32(words & 0xFFFFFFFF),
        slot.table,
        np.uint64(begin),
    )
    blocks = min(4096, math.ceil(run.elements / 4 / _THREADS) + 1)
    kernel((blocks,), (_THREADS,), arguments)
