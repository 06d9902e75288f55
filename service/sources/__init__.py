"""Where the values of a planned tensor come from. Each kind of source has its own file.

`Drawn` computes values with generator v1, `Transposed` stores drawn values in another order of
axes, and `Copied` reads values from a donor. Each implements `Source`.
"""

from service.sources.copied import Copied
from service.sources.drawn import Backend, Drawn, Region
from service.sources.source import Source
from service.sources.transposed import Transposed

__all__ = ["Backend", "Copied", "Drawn", "Region", "Source", "Transposed"]
