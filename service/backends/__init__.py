"""Backends: where values are computed. All give the same bytes, held to one golden file."""

import os
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.backends.native import NativeBackend
from service.backends.numpy import NumpyBackend
from service.errors import KernelUnavailable
from service.native import PATHS
from service.numerics.memo import Memo
from service.plan import PlannedTensor


class Backend(Protocol):
    """Fills host memory with a tensor's elements."""

    name: str

    def fill(self, tensor: PlannedTensor, first: int, out: NDArray[np.uint8], memo: Memo) -> None:
        """Write elements of a tensor's block as the file stores them.

        Args:
            tensor: What to write.
            first: Index in the block, row-major, of the first element.
            out: uint8, shape (n * dtype size,): room for n whole elements, of any alignment.
            memo: What chunks of the same file share.
        """


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


__all__ = ["KERNELS", "Backend", "kernel"]
