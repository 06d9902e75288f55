"""The threads that plan, apart from those that generate."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

Made = TypeVar("Made")

_SMALL = 1 << 16
"""Bytes of a recipe whose plan needs little time and memory, but for those that few words swell."""

_SWELLING = (b'"model"', b'"layers"')


class Planning:
    """Threads for small recipes, and others for large ones, which memory allows few of at once.

    Args:
        threads: How many large ones at once.
    """

    def __init__(self, threads: int) -> None:
        self._large = CapacityLimiter(threads)
        self._small = CapacityLimiter(4 * threads)

    async def run(self, text: bytes, work: Callable[[], Made]) -> Made:
        """Return what ``work`` returns, once a thread was free for a recipe of this text."""
        is_large = len(text) > _SMALL or any(word in text for word in _SWELLING)
        limiter = self._large if is_large else self._small
        return await to_thread.run_sync(work, limiter=limiter)
