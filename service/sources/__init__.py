"""Where the values of a planned tensor come from: one kind of source a file.

`Drawn` values are computed by generator v1, `Transposed` ones are those in another order of axes,
`Copied` ones are read from a donor. Each is a `Source`; a new kind is a file here.
"""

from service.sources.copied import Copied
from service.sources.drawn import Backend, Drawn, Region
from service.sources.source import Source
from service.sources.transposed import Transposed

__all__ = ["Backend", "Copied", "Drawn", "Region", "Source", "Transposed"]
