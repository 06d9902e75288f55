"""The deadline of the registry call that a thread is in."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_END: ContextVar[float] = ContextVar("end", default=math.inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Set a deadline, in seconds from now, for everything that waits in this block."""
    token = _END.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _END.reset(token)


def remaining() -> float:
    """Return the seconds that are left; infinity outside of `within`.

    >>> remaining()
    inf
    """
    return _END.get() - time.monotonic()
