"""A cache of results that several chunks of one file need."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

Result = TypeVar("Result")


class Memo:
    """A cache of results in groups, one for each tensor or slab, of which the latest few are kept.

    A file is computed in order, so results of tensors before the last few are not needed again. A
    group in use is kept, and so is the latest one, however large.

    Args:
        most: Number of groups to keep.
        budget: Bytes of all groups together.

    >>> memo = Memo()
    >>> memo.get("tensor", "square", lambda: 4), memo.get("tensor", "square", lambda: 5)
    (4, 4)
    """

    def __init__(self, most: int = 4, budget: int = 1 << 29) -> None:
        self._most = most
        self._budget = budget
        self._lock = threading.Lock()
        self._groups: OrderedDict[Hashable, _Group] = OrderedDict()

    def __reduce__(self) -> tuple[Any, ...]:
        return Memo, (self._most, self._budget)

    def keep(self, most: int) -> None:
        """Keep at least this many groups, because as many threads may use as many."""
        self._most = max(self._most, most)

    def clear(self) -> None:
        """Drop all groups that are not in use."""
        with self._lock:
            for name in [name for name, group in self._groups.items() if not group.users]:
                del self._groups[name]

    def get(self, group: Hashable, key: Hashable, make: Callable[[], Result]) -> Result:
        """Return a result, computed now if it is not cached; other callers wait for it.

        Args:
            group: The group that it belongs to.
            key: Which of the group's results it is.
            make: Computes it. Its exceptions are raised here, and the next caller tries again.
        """
        with self._lock:
            found = self._groups.setdefault(group, _Group())
            self._groups.move_to_end(group)
            found.users += 1
            slot = found.slots.setdefault(key, _Slot())
        try:
            with slot.lock:
                if not slot.made:
                    slot.result, slot.made = make(), True
                return cast("Result", slot.result)
        finally:
            with self._lock:
                found.users -= 1
                self._evict()

    def _evict(self) -> None:
        idle = [name for name, group in self._groups.items() if not group.users][:-1]
        total = sum(group.nbytes for group in self._groups.values())
        for name in idle:
            if len(self._groups) <= self._most and total <= self._budget:
                break
            total -= self._groups.pop(name).nbytes


class _Group:
    def __init__(self) -> None:
        self.users = 0
        self.slots: dict[Hashable, _Slot] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of its results."""
        return sum(getattr(slot.result, "nbytes", 0) for slot in self.slots.values())


class _Slot:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made = False
        self.result: object = None
