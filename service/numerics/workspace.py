"""What a law that is not computed element by element works with."""

from dataclasses import dataclass, field

from service.numerics.keys import Stream
from service.numerics.memo import Memo
from service.numerics.reflections import PlainReflections, Reflections


@dataclass(frozen=True, slots=True)
class Workspace:
    """Results that chunks share, and the way to orthonormal matrices.

    Args:
        mask: The tensor's stream for everything but its values.
        memo: Of one file.
        reflections: Of one backend.
    """

    mask: Stream
    memo: Memo = field(default_factory=Memo)
    reflections: Reflections = field(default_factory=PlainReflections)
