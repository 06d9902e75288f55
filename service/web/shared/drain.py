"""The end of a server: it says that it is not ready, and goes on a little before it stops."""

import asyncio
import signal
import threading
import time
from types import FrameType
from typing import Any

_AT_ONCE = 1.0
"""Seconds in which a second signal is the first one again: a group's, and then a parent's."""


class Drain:
    """Whether the server has been told to end.

    Args:
        delay: Seconds to go on as before, so that whoever sends requests sees it.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._began = 0.0

    @property
    def has_begun(self) -> bool:
        """Whether it has."""
        return self._began > 0

    def watch(self) -> None:
        """Stand before the server's own handler of SIGTERM, in the thread that runs its loop."""
        if threading.current_thread() is not threading.main_thread():
            return  # a test's client, which gets no signals
        loop, own = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

        def begin(number: int, frame: FrameType | None) -> None:
            # Nothing here may wait for a lock: whoever holds it is what was interrupted.
            now = time.monotonic()
            is_first, self._began = not self.has_begun, self._began or now
            if not callable(own):
                signal.signal(number, own)
                signal.raise_signal(number)
            elif not self._delay or now - self._began > _AT_ONCE:
                own(number, frame)
            elif is_first:
                loop.call_soon_threadsafe(self._later, loop, own, number)

        signal.signal(signal.SIGTERM, begin)

    def _later(self, loop: asyncio.AbstractEventLoop, own: Any, number: int) -> None:
        loop.call_later(self._delay, own, number, None)
