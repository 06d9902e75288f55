"""Collects the problems of a recipe and raises them together."""

from collections.abc import Sequence

from service.errors import InvalidRecipe, Problem, truncate
from service.limits import Limits


class Diagnostics:
    """The problems found so far, in order.

    Args:
        limits: The limits to check; ``max_errors`` is the number of problems that are collected.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._problems: list[Problem] = []

    def add(self, pointer: str, detail: str) -> None:
        """Add one problem.

        Raises:
            InvalidRecipe: There are now ``max_errors`` problems.
        """
        self._problems.append(Problem(pointer, detail))
        if len(self._problems) >= self.limits.max_errors:
            self.raise_if_any()

    def check_limit(self, pointer: str, what: str, actual: int, setting: str) -> None:
        """Add a problem if ``actual`` exceeds the limit named ``setting``."""
        limit = getattr(self.limits, setting)
        if actual > limit:
            self.add(pointer, f"{truncate(actual)} {what}; the limit ({setting}) is {limit}")

    def check_matches(self, pointer: str, patterns: Sequence[str], names: int) -> None:
        """Raise if matching ``patterns`` against so many names exceeds ``max_matches``.

        Raises:
            InvalidRecipe: It does, or there are earlier problems.
        """
        matches = sum(pattern.count("*") for pattern in patterns) * names
        self.check_limit(
            pointer, "matches to try (number of * times tensors)", matches, "max_matches"
        )
        self.raise_if_any()

    def raise_if_any(self) -> None:
        """Raise all problems found so far.

        Raises:
            InvalidRecipe: There is at least one problem.
        """
        if self._problems:
            raise InvalidRecipe(self._problems)
