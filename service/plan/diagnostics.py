"""What is wrong with a recipe, collected until there is enough to say."""

from collections.abc import Sequence

from service.errors import InvalidRecipe, Problem, truncate
from service.limits import Limits


class Diagnostics:
    """Problems in the order in which they are found.

    Args:
        limits: ``max_errors`` of them are enough; every refusal by a limit names the others.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._problems: list[Problem] = []

    def add(self, pointer: str, detail: str) -> None:
        """Note one problem.

        Raises:
            InvalidRecipe: It was the last that may be reported.
        """
        self._problems.append(Problem(pointer, detail))
        if len(self._problems) >= self.limits.max_errors:
            self.raise_if_any()

    def check_limit(self, pointer: str, what: str, actual: int, setting: str) -> None:
        """Note a problem if ``actual`` passes the limit called ``setting``."""
        limit = getattr(self.limits, setting)
        if actual > limit:
            self.add(pointer, f"{truncate(actual)} {what}; the limit ({setting}) is {limit}")

    def check_matches(self, pointer: str, patterns: Sequence[str], names: int) -> None:
        """Raise if matching so many names would take long.

        Raises:
            InvalidRecipe: It would, or something was noted before.
        """
        matches = sum(pattern.count("*") for pattern in patterns) * names
        self.check_limit(pointer, "* times tensors", matches, "max_matches")
        self.raise_if_any()

    def raise_if_any(self) -> None:
        """Raise what was noted.

        Raises:
            InvalidRecipe: Something was.
        """
        if self._problems:
            raise InvalidRecipe(self._problems)
