"""Backends compute the values. All give the same bytes; one golden file tests them all."""

import importlib.util
import os

from service.backends.cupy import CupyBackend
from service.backends.native import NativeBackend
from service.backends.numpy import NumpyBackend
from service.errors import BackendUnavailable, KernelUnavailable
from service.native import PATHS
from service.sources import Backend

_COMPILED: list[Backend] = [NativeBackend(path) for path in PATHS]

KERNELS: dict[str, Backend] = {kernel.name: kernel for kernel in (NumpyBackend(), *_COMPILED)}
"""The backends that compute on the CPU of this machine, by name, slowest first."""


def kernel(name: str | None = None) -> Backend:
    """Return the backend that computes on the CPU of this machine.

    Args:
        name: A name in `KERNELS`, or ``auto`` for the fastest. If left out, the environment
            variable ``TENSORSEED_KERNEL`` is used, then ``auto``.

    Raises:
        KernelUnavailable: This machine does not have the kernel.

    >>> kernel("numpy").name
    'numpy'
    """
    name = name or os.environ.get("TENSORSEED_KERNEL") or "auto"
    if name == "auto":
        return list(KERNELS.values())[-1]
    if name not in KERNELS:
        remedy = "" if PATHS else "; install a C compiler, then reinstall tensorseed"
        available = ", ".join(KERNELS)
        raise KernelUnavailable(f"this machine has no kernel {name}, only {available}{remedy}")
    return KERNELS[name]


def backend(name: str | None = None, kernel_name: str | None = None) -> Backend:
    """Return the backend that computes on this machine: on its GPUs or its CPU.

    Args:
        name: ``cupy`` for the GPUs, ``numpy`` for the CPU, or ``auto`` for the GPUs if there are
            any. If left out, the environment variable ``TENSORSEED_BACKEND`` is used, then
            ``auto``.
        kernel_name: The kernel of the CPU, as in `kernel`.

    Raises:
        BackendUnavailable: ``cupy`` is requested, but there is no GPU or no CuPy.
        KernelUnavailable: This machine does not have the kernel.

    >>> backend("numpy", "numpy").name
    'numpy'
    """
    name = name or os.environ.get("TENSORSEED_BACKEND") or "auto"
    cpu = kernel(kernel_name)
    if name == "cupy":
        return CupyBackend(cpu)
    if name == "auto" and importlib.util.find_spec("cupy") is not None:
        try:
            return CupyBackend(cpu)
        except BackendUnavailable:
            return cpu
    return cpu


def cpu_backend(backend: Backend) -> Backend:
    """Return the CPU backend of a GPU backend; return any other backend itself."""
    return backend.cpu if isinstance(backend, CupyBackend) else backend


def backend_kind(backend: Backend) -> str:
    """Return the name of a backend in settings: ``cupy`` or ``numpy``."""
    return "cupy" if isinstance(backend, CupyBackend) else "numpy"


__all__ = ["KERNELS", "Backend", "backend", "cpu_of", "kernel", "kind_of"]
