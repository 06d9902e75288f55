"""The planned checkpoints of stored recipes and links, cached by what was asked for."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from service.checkpoint.files import Checkpoint, Cut, checkpoint
from service.plan import compile
from service.recipe import Recipe, parse
from service.settings import Settings
from service.web.shared.planning import Planning

_LEAST = 10
"""Tensors that every cached checkpoint counts as, besides its own."""

_ALL = Cut()


class Address(NamedTuple):
    """What determines a checkpoint.

    Args:
        recipe: Identifies the recipe: its id, or a link that carries it.
        cut: Which of its tensors, in files of what size.
        seed: Replaces the recipe's own seed.
    """

    recipe: str
    cut: Cut = _ALL
    seed: int | None = None


Load = Callable[[], Awaitable[bytes]]
"""Loads the text of a recipe."""


class Library:
    """A cache of planned checkpoints, of which the most recently used are kept.

    Concurrent requests for a checkpoint that is being planned wait for the same plan.

    Args:
        settings: The limits, and how much is kept.
        planning: The threads that plan.
    """

    def __init__(self, settings: Settings, planning: Planning) -> None:
        self._settings = settings
        self._planning = planning
        self._cached: OrderedDict[Address, asyncio.Future[Checkpoint]] = OrderedDict()

    async def find(self, address: Address, load: Load) -> Checkpoint:
        """Return a checkpoint, planned now if it is not cached.

        Args:
            address: Which.
            load: Loads the text of its recipe if it has to be planned.

        Raises:
            InvalidRecipe: The recipe cannot be carried out with these limits, or not cut so.
        """
        future = self._cached.get(address)
        if future is None:
            future = self._cached[address] = asyncio.ensure_future(self._plan(address, load))
            future.add_done_callback(lambda done: self._evict(address, done))
        self._cached.move_to_end(address)
        return await asyncio.shield(future)

    async def _plan(self, address: Address, load: Load) -> Checkpoint:
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
                base.recipe.canonical, lambda: _planned(base.recipe.under(seed), settings)
            )
        text = await load()
        return await self._planning.run(text, lambda: _planned(parse(text, settings), settings))

    def _evict(self, address: Address, done: asyncio.Future[Checkpoint]) -> None:
        """Drop a checkpoint that could not be planned, and those least recently used."""
        if done.cancelled() or done.exception() is not None:
            del self._cached[address]
            return
        sizes = {
            address: _LEAST + future.result().tensors
            for address, future in self._cached.items()
            if future.done() and not future.cancelled() and not future.exception()
        }
        total = sum(sizes.values())
        for oldest in list(sizes)[:-1]:
            if total <= self._settings.max_cached_tensors:
                return
            total -= sizes[oldest]
            del self._cached[oldest]


def _planned(recipe: Recipe, settings: Settings) -> Checkpoint:
    """Return all files of a recipe, with their entity tags computed."""
    return _tagged(checkpoint(recipe, compile(recipe, settings), _ALL, settings))


def _tagged(planned: Checkpoint) -> Checkpoint:
    """Compute the entity tags here, in a planning thread: those of many tensors take a while."""
    for file in (planned.whole, *planned.files.values()):
        _ = file.etag
    return planned
