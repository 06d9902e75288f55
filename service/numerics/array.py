"""The two types of all numerics functions."""

from typing import Any

Array = Any
"""An array of the namespace in use: ``numpy.ndarray`` or ``cupy.ndarray``."""

Namespace = Any
"""An array namespace, conventionally ``xp``: the module ``numpy`` or ``cupy``."""

U32 = 0xFFFFFFFF
"""The largest word, 2^32 - 1; also the mask that keeps 32 bits of a 64-bit lane."""
