"""The registry without blocking the event loop: its calls run in threads, with a deadline."""

import re
from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from service.errors import RegistryUnavailable, UnknownRecipe, truncate
from service.registry import Registry, Revision

Result = TypeVar("Result")

_TIMEOUT = 12.0
"""Seconds that a request waits for the registry, whose own timeouts are shorter."""

_CALLS = 16
"""Concurrent calls: as many threads may wait for a database that does not answer."""

_COMMITS = 4_096
"""Commits that are cached, so that downloads of one continue without the registry."""


class AsyncRegistry:
    """A registry for use in an event loop.

    Args:
        registry: Stored recipes and names.
    """

    def __init__(self, registry: Registry) -> None:
        self.blocking = registry
        self._limiter = CapacityLimiter(_CALLS)
        self._commits: dict[tuple[str, str, str], Revision] = {}

    async def call(self, method: Callable[..., Result], *arguments: object) -> Result:
        """Return what a method of the blocking registry returns, called in a thread.

        Raises:
            RegistryUnavailable: The database does not answer.
        """
        try:
            with anyio.fail_after(_TIMEOUT):
                return await to_thread.run_sync(
                    method, *arguments, limiter=self._limiter, abandon_on_cancel=True
                )
        except TimeoutError:
            raise RegistryUnavailable("the registry's database does not answer") from None

    async def recipe(self, recipe_id: str) -> bytes:
        """Return the text of a stored recipe.

        Raises:
            UnknownRecipe: No recipe of that id is stored.
            RegistryUnavailable: The database does not answer.
        """
        is_id = re.fullmatch("[0-9a-f]{64}", recipe_id)
        text = await self.call(self.blocking.recipe, recipe_id) if is_id else None
        if text is None:
            raise UnknownRecipe(f"no recipe {truncate(recipe_id)} is stored here")
        return text

    async def commit(self, namespace: str, name: str, prefix: str) -> Revision | None:
        """Return the revision of a name whose recipe's id begins so; it is cached once found.

        Raises:
            RegistryUnavailable: The database does not answer.
        """
        key = (namespace, name, prefix)
        if key not in self._commits:
            found = await self.call(self.blocking.revision_of, *key)
            if found is None:
                return None
            if len(self._commits) >= _COMMITS:
                self._commits.clear()
            self._commits[key] = found
        return self._commits[key]

    def close(self) -> None:
        """Close the database."""
        self.blocking.close()
