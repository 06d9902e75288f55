"""A fake of the parts of CuPy that the backend uses. It compiles kernel.cu for the CPU.

Arrays are NumPy arrays, but do not convert to NumPy implicitly, like those of CuPy. A block has one
thread, and blocks run one after another.
"""

import ctypes
import shutil
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.numerics.strict import Strict, namespace

_SHIM = Path(__file__).parents[1] / "native/cuda_on_host.h"
_TYPES = {np.uint32: ctypes.c_uint32, np.uint64: ctypes.c_uint64, np.float64: ctypes.c_double}
_BLOCKS = 3
"""The most blocks that run, even if more are requested: a kernel's loops must cover the rest."""


class OutOfMemoryError(MemoryError):
    """The exception of ``cupy.cuda.memory``."""


class CUDARuntimeError(RuntimeError):
    """The exception of ``cupy.cuda.runtime``."""


class CompileException(Exception):
    """The exception of ``cupy.cuda.compiler``."""


class CUDADriverError(RuntimeError):
    """The exception of ``cupy.cuda.driver``."""


def compiler() -> str | None:
    """Return the path of a C++ compiler; None if there is none."""
    return shutil.which("g++") or shutil.which("clang++")


class FakeCupy:
    """The module ``cupy`` on a machine with GPUs.

    Args:
        folder: The folder in which kernels are compiled.
        devices: Number of GPUs.
    """

    def __init__(self, folder: Path, devices: int = 1) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._library: ctypes.CDLL | None = None
        self.launched: list[str] = []
        self.copied = 0
        self.is_full = False
        """Whether the GPU has no memory left."""
        self.is_gone = False
        """Whether the GPU has stopped responding."""
        self.is_mute = False
        """Whether there is no compiler."""
        runtime = SimpleNamespace(
            CUDARuntimeError=CUDARuntimeError,
            getDeviceCount=lambda: devices,
            memcpyAsync=self._copy,
            memcpyDeviceToHost=2,
        )
        self.cuda = SimpleNamespace(
            runtime=runtime,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            driver=SimpleNamespace(CUDADriverError=CUDADriverError),
            alloc_pinned_memory=lambda nbytes: memoryview(bytearray(nbytes)),
            compiler=SimpleNamespace(CompileException=CompileException),
            Device=_Device,
            Stream=_Stream,
        )
        self._strict = namespace()

    def __getattr__(self, name: str) -> Any:
        if name in {"empty", "zeros", "ones", "full"} and self.is_full:
            raise OutOfMemoryError("Out of memory allocating some bytes")
        return getattr(self._strict, name)

    def asnumpy(self, array: Strict) -> Any:
        """Return a copy on the host."""
        return array.on_host.copy()

    def RawModule(self, code: str, options: tuple[str, ...]) -> Any:  # noqa: N802 - CuPy's name
        """Compile for the CPU what NVRTC compiles for a GPU."""
        assert "--fmad=false" in options
        if self.is_mute:
            raise CompileException("nvrtc: error: failed to open libnvrtc-builtins.so")
        with self._lock:
            if self._library is None:
                self._library = self._compiled(code)
        return SimpleNamespace(get_function=self._function)

    def _compiled(self, code: str) -> ctypes.CDLL:
        header, mark, kernels = code.partition("/* The kernels of a GPU")
        assert mark
        source = self._folder / "kernel.cc"
        source.write_text(header + _SHIM.read_text() + mark + kernels)
        built = self._folder / "kernel.so"
        flags = ["-O2", "-ffp-contract=off", "-std=c++17", "-shared", "-fPIC", "-Wall", "-Werror"]
        subprocess.run([str(compiler()), *flags, "-o", built, source], check=True)
        return ctypes.CDLL(str(built))

    def _function(self, name: str) -> Any:
        library = self._library
        assert library is not None
        kernel = getattr(library, name)

        def launch(grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...]) -> None:
            if self.is_gone:
                raise CUDARuntimeError("cudaErrorIllegalAddress")
            assert 0 < block[0] <= 1024
            blocks = grid[0] if name == "reflect" else min(grid[0], _BLOCKS)
            with self._lock:  # all blocks use the same shared memory
                self.launched.append(name)
                for index in range(blocks):
                    library.ts_block(index, blocks)
                    kernel(*map(_argument, arguments))

        return launch

    def _copy(self, to: int, of: int, nbytes: int, kind: int, stream: int) -> None:
        assert kind == 2
        assert stream
        self.copied += nbytes
        ctypes.memmove(to, of, nbytes)


class _Entered:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def synchronize(self) -> None:
        pass


class _Device(_Entered):
    def __init__(self, number: int) -> None:
        self.number = number


class _Stream(_Entered):
    ptr = 1

    def __init__(self, *, non_blocking: bool) -> None:
        assert non_blocking


def _argument(value: Any) -> Any:
    if isinstance(value, Strict):
        return ctypes.c_void_p(value.on_host.ctypes.data)
    return _TYPES[type(value)](value)


@contextmanager
def broken(cupy: FakeCupy, how: str) -> Any:
    """Make the GPU ``full``, ``gone`` or ``mute`` within the block."""
    setattr(cupy, f"is_{how}", True)
    try:
        yield
    finally:
        setattr(cupy, f"is_{how}", False)
