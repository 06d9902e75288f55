"""Graceful shutdown: the server reports that it is not ready, and serves a little longer."""

import asyncio
import signal
import threading
import time
from types import FrameType
from typing import Any

_SAME_SIGNAL = 1.0
"""Seconds in which a second SIGTERM repeats the first: one to the group, one from the parent."""


class Drain:
    """Whether the server has been told to shut down.

    Args:
        delay: Seconds to keep serving, so that load balancers notice.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._began = 0.0

    @property
    def has_begun(self) -> bool:
        """Whether SIGTERM has arrived."""
        return self._began > 0

    def watch(self) -> None:
        """Handle SIGTERM before the server's own handler; call it in the event loop's thread."""
        if threading.current_thread() is not threading.main_thread():
            return  # a test's client, which gets no signals
        loop, own = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

        def begin(number: int, frame: FrameType | None) -> None:
            # This must not wait for a lock: the code it interrupts may hold it.
            now = time.monotonic()
            is_first, self._began = not self.has_begun, self._began or now
            if not callable(own):
                signal.signal(number, own)
                signal.raise_signal(number)
            elif not self._delay or now - self._began > _SAME_SIGNAL:
                own(number, frame)
            elif is_first:
                loop.call_soon_threadsafe(self._later, loop, own, number)

        signal.signal(signal.SIGTERM, begin)

    def _later(self, loop: asyncio.AbstractEventLoop, own: Any, number: int) -> None:
        loop.call_later(self._delay, own, number, None)
