"""How much may be under way at once, shared out among clients."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from service.errors import Busy

_SHARE = 3
"""Times what is still free that one client may hold."""

_AGAIN = (2, 8)
"""Seconds after which those are to come back who found no place; not all at once."""


class _Waiting(NamedTuple):
    client: str
    admitted: "asyncio.Future[None]"


class Quota:
    """An amount of something that all clients share.

    A client may hold at most three times what is then still free (the dynamic threshold of
    Choudhury and Hahne, 1998). So one alone gets three quarters, two that want all get three
    sevenths each, and there is always something left for the next one. Who finds nothing may wait;
    of those who wait the one that holds least is admitted first.

    Args:
        limit: How much of it there is.
        what: It is, in the plural, for the message.
        setting: What the limit is called.
        tell: Called whenever more or less is held, or waited for.
    """

    def __init__(
        self, limit: int, what: str, setting: str, tell: Callable[[], object] = lambda: None
    ) -> None:
        self._tell = tell
        self.limit = limit
        self.held = 0
        self._what = what
        self._setting = setting
        self._clients: Counter[str] = Counter()
        self._queue: list[_Waiting] = []

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    def take(self, client: str, amount: int = 1, own: int = 0) -> None:
        """Take some, to be given back. Who is alone may take any amount.

        Args:
            client: Whose share it counts for.
            amount: How much.
            own: What the same taker has taken already.

        Raises:
            Busy: There is not enough left for this client.
        """
        if self.held > own and not self._fits(client, amount):
            raise self._busy(amount)
        self._take(client, amount)

    async def wait(self, client: str, patience: float) -> None:
        """Take one, as soon as there is one.

        Args:
            client: Whose share it counts for.
            patience: Seconds to wait for it.

        Raises:
            Busy: There was none in that time, or too many wait already, of this client's or of all.
        """
        if self._fits(client, 1):
            self._take(client, 1)
            return
        others = sum(each.client == client for each in self._queue)
        if patience <= 0 or others > self.limit // 2 or len(self._queue) >= self.limit:
            raise self._busy(1)
        mine = _Waiting(client, asyncio.get_running_loop().create_future())
        self._queue.append(mine)
        self._tell()
        try:
            async with asyncio.timeout(patience):
                await mine.admitted
        except (TimeoutError, asyncio.CancelledError) as error:
            if not mine.admitted.cancelled():  # it came at the last moment
                self.give(client)
            if isinstance(error, TimeoutError):
                raise self._busy(1) from None
            raise
        finally:
            if mine in self._queue:
                self._queue.remove(mine)
            self._tell()

    def give(self, client: str, amount: int = 1) -> None:
        """Give back what was taken."""
        self.held -= amount
        self._clients[client] -= amount
        if not self._clients[client]:
            del self._clients[client]
        for waiting in sorted(self._queue, key=lambda each: self._clients[each.client]):
            if not waiting.admitted.done() and self._fits(waiting.client, 1):
                self._queue.remove(waiting)
                self._take(waiting.client, 1)
                waiting.admitted.set_result(None)
        self._tell()

    def _take(self, client: str, amount: int) -> None:
        self.held += amount
        self._clients[client] += amount
        self._tell()

    def _fits(self, client: str, amount: int) -> bool:
        free = self.limit - self.held
        most = min(free, _SHARE * free - self._clients[client])
        return not self.held or amount <= most

    def _busy(self, amount: int) -> Busy:
        return Busy(
            f"{self.held} {self._what} are under way, and {amount} more would be too many for this"
            f" client or for all: the limit ({self._setting}) is {self.limit}",
            random.randint(*_AGAIN),  # noqa: S311 - no secret
        )
