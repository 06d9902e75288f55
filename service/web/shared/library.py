"""From an address, be it an id, a link or a name, to the files of a checkpoint."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from service.checkpoint.files import Checkpoint, Cut, checkpoint
from service.errors import RegistryUnavailable, UnknownRecipe, truncate
from service.plan import compile
from service.recipe import Recipe, parse
from service.registry import Registry, Revision
from service.settings import Settings
from service.web.shared.planning import Planning

Result = TypeVar("Result")

_WAIT = 12.0
"""Seconds that a request waits for the registry, whose own waits are shorter."""

_CALLS = 16
"""Calls of the registry at once: as many threads may wait for a database that does not answer."""

_COMMITS = 4_096
"""Commits that are remembered, so that downloads of one go on without the registry."""

_LEAST = 10
"""Tensors that a checkpoint without any would count as."""

_ALL = Cut()


class Address(NamedTuple):
    """What decides a checkpoint.

    Args:
        recipe: What tells its recipe from all others: an id, or a link.
        cut: Which of its tensors, in what files.
        seed: Instead of the recipe's own.
    """

    recipe: str
    cut: Cut = _ALL
    seed: int | None = None


Load = Callable[[], Awaitable[bytes]]


class Library:
    """Checkpoints, of which the latest asked for are kept planned; and the registry behind them.

    Everybody who asks for one that is being planned waits for the same plan.

    Args:
        settings: The limits, and how much is kept.
        registry: Where recipes and names are.
        planning: Whose threads plan.
    """

    def __init__(self, settings: Settings, registry: Registry, planning: Planning) -> None:
        self.registry = registry
        self._settings = settings
        self._planning = planning
        self._calls = CapacityLimiter(_CALLS)
        self._commits: dict[tuple[str, str, str], Revision] = {}
        self._kept: OrderedDict[Address, asyncio.Future[Checkpoint]] = OrderedDict()

    async def ask(self, call: Callable[..., Result], *arguments: object) -> Result:
        """Return what a method of the registry returns, called in a thread.

        Raises:
            RegistryUnavailable: The database does not answer.
        """
        try:
            with anyio.fail_after(_WAIT):
                return await to_thread.run_sync(
                    call, *arguments, limiter=self._calls, abandon_on_cancel=True
                )
        except TimeoutError:
            raise RegistryUnavailable("the registry's database does not answer") from None

    async def stored(self, recipe_id: str) -> bytes:
        """Return the text of a stored recipe.

        Raises:
            UnknownRecipe: Nobody stored it.
            RegistryUnavailable: The database does not answer.
        """
        is_id = re.fullmatch("[0-9a-f]{64}", recipe_id)
        text = await self.ask(self.registry.recipe, recipe_id) if is_id else None
        if text is None:
            raise UnknownRecipe(f"no recipe {truncate(recipe_id)} is stored here")
        return text

    async def committed(self, namespace: str, name: str, prefix: str) -> Revision | None:
        """Return the revision whose recipe's id begins so: once found, it is that for good.

        Raises:
            RegistryUnavailable: The database does not answer.
        """
        key = (namespace, name, prefix)
        if key not in self._commits:
            found = await self.ask(self.registry.revision_of, *key)
            if found is None:
                return None
            if len(self._commits) >= _COMMITS:
                self._commits.clear()
            self._commits[key] = found
        return self._commits[key]

    async def find(self, address: Address, load: Load) -> Checkpoint:
        """Return a checkpoint, planned now if it is not at hand.

        Args:
            address: Which.
            load: Gets the text of its recipe where it has to be planned.

        Raises:
            InvalidRecipe: It cannot be carried out, here or any more, or cannot be cut so.
        """
        made = self._kept.get(address)
        if made is None:
            made = self._kept[address] = asyncio.ensure_future(self._made(address, load))
            made.add_done_callback(lambda done: self._settle(address, done))
        self._kept.move_to_end(address)
        return await asyncio.shield(made)

    async def _made(self, address: Address, load: Load) -> Checkpoint:
        cut, settings = address.cut, self._settings
        if cut != _ALL:
            base = await self.find(address._replace(cut=_ALL), load)
            plan = base.whole.plan
            return await self._planning.run(
                base.recipe.canonical, lambda: _tagged(checkpoint(base.recipe, plan, cut, settings))
            )
        if (seed := address.seed) is not None:
            base = await self.find(address._replace(seed=None), load)
            return await self._planning.run(
                base.recipe.canonical, lambda: planned(base.recipe.under(seed), settings)
            )
        text = await load()
        return await self._planning.run(text, lambda: planned(parse(text, settings), settings))

    def _settle(self, address: Address, made: asyncio.Future[Checkpoint]) -> None:
        """Forget what could not be planned, and what was not asked for lately."""
        if made.cancelled() or made.exception() is not None:
            del self._kept[address]
            return
        sizes = {
            address: _LEAST + kept.result().tensors
            for address, kept in self._kept.items()
            if kept.done() and not kept.cancelled() and not kept.exception()
        }
        total = sum(sizes.values())
        for oldest in list(sizes)[:-1]:
            if total <= self._settings.max_cached_tensors:
                return
            total -= sizes[oldest]
            del self._kept[oldest]


def planned(recipe: Recipe, settings: Settings) -> Checkpoint:
    """Return all of a recipe as files whose tags are known."""
    return _tagged(checkpoint(recipe, compile(recipe, settings), _ALL, settings))


def _tagged(made: Checkpoint) -> Checkpoint:
    """Compute the tags here, in a thread that plans: those of many tensors take a while."""
    for file in (made.whole, *made.files.values()):
        _ = file.etag
    return made
