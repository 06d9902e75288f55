"""What laws need that are not computed element by element."""

from dataclasses import dataclass, field

from service.numerics.keys import Stream
from service.numerics.memo import Memo
from service.numerics.reflections import PlainReflections, Reflections


@dataclass(frozen=True, slots=True)
class Workspace:
    """Cached results, and the implementation of reflections.

    Args:
        mask: The tensor's random stream for everything except its values.
        memo: The cache of one file.
        reflections: The implementation of one backend.
    """

    mask: Stream
    memo: Memo = field(default_factory=Memo)
    reflections: Reflections = field(default_factory=PlainReflections)
