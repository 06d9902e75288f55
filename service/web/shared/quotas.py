"""How much may be in use at once, shared fairly among clients."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from service.errors import Busy
from service.settings import Settings

_SHARE = 3
"""Multiple of the free amount that one owner may hold."""

_RETRY_AFTER = (2, 8)
"""Seconds after which a refused client retries: a random time, so that not all retry at once."""


class _Waiting(NamedTuple):
    owner: str
    admitted: "asyncio.Future[None]"


class Quota:
    """An amount of something, shared by all clients.

    An owner may hold at most three times what is then still free (the dynamic threshold of
    Choudhury and Hahne, 1998). So one alone gets three quarters, two that want everything get three
    sevenths each, and something is always left for the next one. A request that finds nothing free
    may wait; of those that wait, the one whose owner holds least is admitted first.

    Args:
        limit: The amount.
        what: What it is, in the plural, for error messages.
        setting: Name of the setting that is the limit.
        on_change: Called whenever the held or awaited amount changes.
    """

    def __init__(
        self, limit: int, what: str, setting: str, on_change: Callable[[], object] = lambda: None
    ) -> None:
        self._on_change = on_change
        self.limit = limit
        self.held = 0
        self._what = what
        self._setting = setting
        self._owners: Counter[str] = Counter()
        self._queue: list[_Waiting] = []

    @property
    def waiting(self) -> int:
        """Number of requests that wait."""
        return len(self._queue)

    def acquire(self, owner: str, amount: int = 1, own: int = 0) -> None:
        """Acquire some of it at once. If nobody else holds any, any amount may be acquired.

        Args:
            owner: Whose share it counts against.
            amount: How much.
            own: How much the same request has acquired already.

        Raises:
            Busy: Not enough is left for this owner.
        """
        if self.held > own and not self._fits(owner, amount):
            raise self._busy(amount)
        self._add(owner, amount)

    async def wait(self, owner: str, timeout: float) -> None:  # noqa: ASYNC109 - a setting
        """Acquire one, as soon as one is free.

        Args:
            owner: Whose share it counts against.
            timeout: Seconds to wait.

        Raises:
            Busy: None was free in that time, or too many requests of this owner, or of all, wait.
        """
        if self._fits(owner, 1):
            self._add(owner, 1)
            return
        others = sum(each.owner == owner for each in self._queue)
        if timeout <= 0 or others > self.limit // 2 or len(self._queue) >= self.limit:
            raise self._busy(1)
        mine = _Waiting(owner, asyncio.get_running_loop().create_future())
        self._queue.append(mine)
        self._on_change()
        try:
            async with asyncio.timeout(timeout):
                await mine.admitted
        except (TimeoutError, asyncio.CancelledError) as error:
            if not mine.admitted.cancelled():  # admitted at the last moment
                self.release(owner)
            if isinstance(error, TimeoutError):
                raise self._busy(1) from None
            raise
        finally:
            if mine in self._queue:
                self._queue.remove(mine)
            self._on_change()

    @asynccontextmanager
    async def one(self, owner: str, timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109
        """Hold one for the duration of the block: see `wait`.

        Raises:
            Busy: None was free in time.
        """
        await self.wait(owner, timeout)
        try:
            yield
        finally:
            self.release(owner)

    def release(self, owner: str, amount: int = 1) -> None:
        """Release what was acquired, and admit requests that wait for it."""
        self.held -= amount
        self._owners[owner] -= amount
        if not self._owners[owner]:
            del self._owners[owner]
        for waiting in sorted(self._queue, key=lambda each: self._owners[each.owner]):
            if not waiting.admitted.done() and self._fits(waiting.owner, 1):
                self._queue.remove(waiting)
                self._add(waiting.owner, 1)
                waiting.admitted.set_result(None)
        self._on_change()

    def _add(self, owner: str, amount: int) -> None:
        self.held += amount
        self._owners[owner] += amount
        self._on_change()

    def _fits(self, owner: str, amount: int) -> bool:
        free = self.limit - self.held
        most = min(free, _SHARE * free - self._owners[owner])
        return not self.held or amount <= most

    def _busy(self, amount: int) -> Busy:
        return Busy(
            f"{self.held} {self._what} are in use, and {amount} more would be too many for this"
            f" client or for all: the limit ({self._setting}) is {self.limit}",
            random.randint(*_RETRY_AFTER),  # noqa: S311 - no secret
        )


class Quotas:
    """The quotas of a server.

    Args:
        settings: The limits.
        on_change: Called whenever the bodies or tensors in use change.
    """

    def __init__(self, settings: Settings, on_change: Callable[[], object]) -> None:
        self.bodies = Quota(settings.max_bodies, "bodies", "max_bodies", on_change)
        self.tensors = Quota(settings.max_held_tensors, "tensors", "max_held_tensors", on_change)
        self.analyses = Quota(settings.max_analyses, "analyses", "max_analyses")
        self.donors = Quota(settings.max_donors, "donors", "max_donors")
        self.streams: Counter[str] = Counter()
        """Bodies that are streamed now, by the entity tag of their plan."""
