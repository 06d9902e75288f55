"""The backend that only needs NumPy. It is the reference for all others.

It works with any array namespace; on a GPU it works with CuPy.
"""

import numpy as np
from numpy.typing import NDArray

from service.numerics.array import Array, Namespace
from service.numerics.draws import Draws, Selection
from service.numerics.memo import Memo
from service.numerics.positions import Block
from service.numerics.reflections import PlainReflections, Reflections
from service.numerics.workspace import Workspace
from service.sources.buffers import pages
from service.sources.drawn import Drawn

_BLOCK = 1 << 14
"""Elements drawn at once, so that the scratch arrays stay in the cache of a core."""


class NumpyBackend:
    """Computes on the CPU with NumPy, one block that fits the cache at a time.

    Args:
        reflections: Computes orthonormal matrices; with NumPy if left out.
        xp: The array namespace; NumPy if left out.
        block: Elements drawn at once.
    """

    name = "numpy"

    def __init__(
        self, reflections: Reflections | None = None, xp: Namespace = np, block: int = _BLOCK
    ) -> None:
        self._reflections = reflections or PlainReflections()
        self._xp = xp
        self._block = block

    def fill(self, drawn: Drawn, first: int, out: NDArray[np.uint8], memo: Memo) -> None:
        """Write elements of a block: see `Backend.fill`."""
        workspace = Workspace(drawn.mask, memo, self._reflections)
        typed = out.view(drawn.dtype.storage)
        block = Block(drawn.full_shape, drawn.block)
        done = 0
        while done < len(typed):
            count = block.step(first + done, min(self._block, len(typed) - done))
            draws = block.draws(self._xp, drawn.stream, first + done, count, workspace)
            cast = drawn.dtype.cast(self._xp, _values(drawn, draws))
            typed[done : done + count] = cast if self._xp is np else self._xp.asnumpy(cast)
            done += count

    def allocate(self, nbytes: int) -> NDArray[np.uint8]:
        """Allocate memory from the system: uint8, shape (nbytes,), at least one byte."""
        return pages(nbytes)


def _values(drawn: Drawn, draws: Draws) -> Array:
    """Return float64 values, each drawn from the law of its element's region."""
    if len(drawn.regions) == 1:
        return drawn.regions[0].law.sample(draws)
    xp = draws.xp
    laws = {law: i for i, law in enumerate({region.law: None for region in drawn.regions})}
    of_region = xp.asarray([laws[region.law] for region in drawn.regions])
    stops = xp.asarray([region.stop for region in drawn.regions], dtype=xp.uint64)
    stride, size = drawn.cut
    # Grouped by law, so that any number of equal parts costs one call.
    law_of = of_region[xp.searchsorted(stops, draws.index // stride % size, side="right")]
    order = xp.argsort(law_of, kind="stable")
    ends = xp.searchsorted(law_of[order], xp.arange(len(laws)), side="right")
    values = xp.empty(draws.count, dtype=xp.float64)
    start = 0
    for law, end in zip(laws, ends.tolist(), strict=True):
        if start < end:
            selected = order[start:end]
            values[selected] = law.sample(Selection(draws, selected))
        start = end
    return values
