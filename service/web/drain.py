"""The end of a server: it says that it is not ready, and goes on a little before it stops."""

import asyncio
import signal
import threading
from types import FrameType
from typing import Any

from service.metrics import Metrics


class Drain:
    """Whether the server has been told to end.

    Args:
        delay: Seconds to go on as before, so that whoever sends requests sees it.
        metrics: Where that is told.
    """

    def __init__(self, delay: float, metrics: Metrics) -> None:
        self.has_begun = False
        self._delay = delay
        self._metrics = metrics

    def watch(self) -> None:
        """Stand before the server's own handler of SIGTERM, in the thread that runs its loop."""
        if threading.current_thread() is not threading.main_thread():
            return  # a test's client, which gets no signals
        loop, own = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

        def begin(number: int, frame: FrameType | None) -> None:
            is_second, self.has_begun = self.has_begun, True
            self._metrics.draining.set(1)
            if not callable(own):
                signal.signal(number, own)
                signal.raise_signal(number)
            elif is_second or not self._delay:
                own(number, frame)
            else:
                loop.call_soon_threadsafe(self._later, loop, own, number)

        signal.signal(signal.SIGTERM, begin)

    def _later(self, loop: asyncio.AbstractEventLoop, own: Any, number: int) -> None:
        loop.call_later(self._delay, own, number, None)
