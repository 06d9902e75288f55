"""The kernel in C, where the install found a compiler; NumPy gives the same bits where not.

``generator.h`` has the algorithm, one element at a time, for C and CUDA; ``kernel.c`` has the
loops, ``reflectors.c`` the orthonormal matrices, ``transpose.c`` the transposition. `PATHS` names
the ways that this processor can take, slowest first.
"""

try:
    from service.native import _kernel
except ImportError:  # not built, or built for another machine
    PATHS: tuple[str, ...] = ()
else:
    PATHS, fill, variates = _kernel.PATHS, _kernel.fill, _kernel.variates
    reflect, reflectors, transpose = _kernel.reflect, _kernel.reflectors, _kernel.transpose

__all__ = ["PATHS", "fill", "reflect", "reflectors", "transpose", "variates"]
