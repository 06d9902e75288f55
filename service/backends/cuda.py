"""The CUDA kernels, compiled by CuPy, and Householder reflections that use them."""

from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from service.errors import BackendUnavailable
from service.numerics.array import Array
from service.numerics.reflections import STRIP


def kernel_source() -> str:
    """Return the source of the kernels in one piece, because NVRTC finds no header files."""
    files = resources.files("service.native")
    return "".join(files.joinpath(name).read_text() for name in ("generator.h", "kernel.cu"))


def compile_kernels(cupy: Any, device: int) -> Any:
    """Compile the kernels and return a function that looks one up by name.

    CuPy stores the compiled kernels in its cache.

    Args:
        cupy: The module.
        device: Number of the GPU.

    Raises:
        BackendUnavailable: There is no compiler, or it fails.
    """
    try:
        with cupy.cuda.Device(device):
            module = cupy.RawModule(code=kernel_source(), options=("--fmad=false", "--std=c++17"))
            module.get_function("reflect")
    except (cupy.cuda.compiler.CompileException, RuntimeError, OSError, ImportError) as error:
        raise BackendUnavailable(f"CuPy cannot compile for GPU {device}: {error}"[:500]) from None
    return cache(module.get_function)


class CupyReflections:
    """Householder reflections on a GPU.

    Args:
        cupy: The module.
        kernels: Looks up a kernel by name.
    """

    def __init__(self, cupy: Any, kernels: Any) -> None:
        self._cupy = cupy
        self._kernels = kernels

    def reflectors(self, strip: Array, width: int) -> tuple[Array, Array]:
        """Turn the first ``width`` columns of a strip into reflectors, in place."""
        t, signs = self._cupy.zeros((STRIP, STRIP)), self._cupy.ones(STRIP)
        arguments = (strip, np.uint64(len(strip)), np.uint32(width), t, signs)
        self._kernels("reflectors")((1,), (1024,), arguments)
        return t, signs

    def reflect(self, v: Array, t: Array, width: int, strips: Array, *, transposed: bool) -> None:
        """Multiply strips by a block reflector, or by its transpose, in place."""
        if not len(strips):
            return
        rows, stride = np.uint64(len(v)), np.uint64(strips.strides[0] // 8)
        arguments = (v, t, np.uint32(width), np.uint32(transposed), rows, stride, strips)
        self._kernels("reflect")((len(strips),), (1024,), arguments)
