"""Name patterns of rules and include: ``*`` matches anything, dots too; nothing else is special."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from service.errors import truncate
from service.plan.diagnostics import Diagnostics

Value = TypeVar("Value")


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a test for whole names, in time linear in the name for each ``*``.

    Args:
        pattern: Case-sensitive. A regular expression would backtrack on ``*a*a*a*``.

    >>> matches = matcher("h.*.weight")
    >>> matches("h.0.attn.weight"), matches("h.weight")
    (True, False)
    """
    first, *rest = pattern.split("*")
    if not rest:
        return pattern.__eq__
    *middle, last = rest

    def matches(name: str) -> bool:
        if not name.startswith(first):
            return False
        at = len(first)
        for piece in middle:
            found = name.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        return len(name) - len(last) >= at and name.endswith(last)

    return matches


def matching(
    pattern: str, by_name: Mapping[str, Value], pointer: str, diagnostics: Diagnostics
) -> list[Value]:
    """Return the values whose names match, and complain at ``pointer`` if there are none."""
    if "*" in pattern:
        matches = matcher(pattern)
        found = [value for name, value in by_name.items() if matches(name)]
    else:
        found = [by_name[pattern]] if pattern in by_name else []
    if not found:
        diagnostics.add(pointer, f"{truncate(pattern)} matches no tensor: correct or remove it")
    return found


def select(
    patterns: Sequence[str], by_name: Mapping[str, Value], diagnostics: Diagnostics
) -> list[Value]:
    """Return the values whose names match a pattern of ``include``, in the order of ``by_name``."""
    names = {name: name for name in by_name}
    kept = {
        name
        for index, pattern in enumerate(patterns)
        for name in matching(pattern, names, f"/include/{index}", diagnostics)
    }
    return [value for name, value in by_name.items() if name in kept]
