"""Backends: where values are computed. All give the same bytes, held to one golden file."""

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
"""What computes on this machine's processor, by name, slowest first."""


def kernel(name: str | None = None) -> Backend:
    """Return the backend of this machine's processor.

    Args:
        name: Which of `KERNELS`, or ``auto`` for the fastest; the variable ``TENSORSEED_KERNEL``
            says if left out.

    Raises:
        KernelUnavailable: It is not to be had on this machine.

    >>> kernel("numpy").name
    'numpy'
    """
    name = name or os.environ.get("TENSORSEED_KERNEL") or "auto"
    if name == "auto":
        return list(KERNELS.values())[-1]
    if name not in KERNELS:
        remedy = "" if PATHS else "; with a C compiler at hand, install tensorseed anew"
        raise KernelUnavailable(f"no kernel {name} here: there is {', '.join(KERNELS)}{remedy}")
    return KERNELS[name]


def backend(name: str | None = None, of_cpu: str | None = None) -> Backend:
    """Return what computes on this machine: its GPUs, or its processor.

    Args:
        name: ``cupy``, ``numpy`` for the processor, or ``auto`` for GPUs where there are any; the
            variable ``TENSORSEED_BACKEND`` says if left out.
        of_cpu: Which of `KERNELS`, as for `kernel`.

    Raises:
        BackendUnavailable: ``cupy`` is asked for, and there is no GPU or no CuPy.
        KernelUnavailable: The kernel is not to be had on this machine.

    >>> backend("numpy", "numpy").name
    'numpy'
    """
    name = name or os.environ.get("TENSORSEED_BACKEND") or "auto"
    cpu = kernel(of_cpu)
    if name == "cupy":
        return CupyBackend(cpu)
    if name == "auto" and importlib.util.find_spec("cupy") is not None:
        try:
            return CupyBackend(cpu)
        except BackendUnavailable:
            return cpu
    return cpu


def cpu_of(backend: Backend) -> Backend:
    """Return the kernel of this machine's processor that a backend computes with too."""
    return backend.cpu if isinstance(backend, CupyBackend) else backend


def kind_of(backend: Backend) -> str:
    """Return what `backend` calls it: ``cupy`` or ``numpy``."""
    return "cupy" if isinstance(backend, CupyBackend) else "numpy"


__all__ = ["KERNELS", "Backend", "backend", "cpu_of", "kernel", "kind_of"]
