"""How long the call that a thread is in may still take."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_END: ContextVar[float] = ContextVar("end", default=math.inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let what waits in this block know that it has so many seconds, all together."""
    token = _END.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _END.reset(token)


def remaining() -> float:
    """Return the seconds that are left; infinite outside of any `within`.

    >>> remaining()
    inf
    """
    return _END.get() - time.monotonic()
