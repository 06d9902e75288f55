"""The threads that plan, apart from those that compute values."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

Result = TypeVar("Result")

_SMALL = 1 << 16
"""Bytes of a recipe up to which planning is quick, unless the recipe has a model or layers."""

_EXPANDING = (b'"model"', b'"layers"')
"""Members that a few bytes of text expand to many tensors."""


class Planning:
    """Threads for small recipes, and fewer for large ones, because planning those needs memory.

    Args:
        threads: How many large recipes are planned at once.
    """

    def __init__(self, threads: int) -> None:
        self._large = CapacityLimiter(threads)
        self._small = CapacityLimiter(4 * threads)

    async def run(self, text: bytes, work: Callable[[], Result]) -> Result:
        """Return what ``work`` returns, run once a thread is free for a recipe of this text."""
        is_large = len(text) > _SMALL or any(member in text for member in _EXPANDING)
        limiter = self._large if is_large else self._small
        return await to_thread.run_sync(work, limiter=limiter)
