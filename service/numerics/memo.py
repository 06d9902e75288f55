"""Results that several chunks of one file need: computed once, kept while they are of use."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

Result = TypeVar("Result")


class Memo:
    """The latest results, each computed by one thread while the others wait for it.

    Args:
        most: How many are kept. A file is made in order, so those of the tensor before last are of
            no more use.

    >>> memo = Memo()
    >>> memo.get("square", lambda: 4), memo.get("square", lambda: 5)
    (4, 4)
    """

    def __init__(self, most: int = 3) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Result]) -> Result:
        """Return the result called ``key``, made now if it is not at hand.

        Args:
            key: Decides the result.
            make: Computes it; what it raises is raised here, and the next caller tries again.
        """
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._most:
                self._slots.popitem(last=False)
        with slot.lock:
            if not slot.made:
                slot.result, slot.made = make(), True
            return cast("Result", slot.result)


class _Slot:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made = False
        self.result: object = None
