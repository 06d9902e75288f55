"""Name patterns in rules and include. ``*`` matches any characters, dots too."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from service.errors import truncate
from service.plan.diagnostics import Diagnostics

Value = TypeVar("Value")


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that tells whether a whole name matches.

    It takes time linear in the length of the name for each ``*``. A regular expression would
    backtrack on ``*a*a*a*``.

    Args:
        pattern: A case-sensitive pattern.

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
        end = len(first)
        for piece in middle:
            begin = name.find(piece, end)
            if begin < 0:
                return False
            end = begin + len(piece)
        return len(name) - len(last) >= end and name.endswith(last)

    return matches


def matching(
    pattern: str, by_name: Mapping[str, Value], pointer: str, diagnostics: Diagnostics
) -> list[Value]:
    """Return the values whose names match; report a problem at ``pointer`` if there are none."""
    if "*" in pattern:
        matches = matcher(pattern)
        values = [value for name, value in by_name.items() if matches(name)]
    else:
        values = [by_name[pattern]] if pattern in by_name else []
    if not values:
        diagnostics.add(pointer, f"{truncate(pattern)} matches no tensor: correct or remove it")
    return values


def select(
    patterns: Sequence[str], by_name: Mapping[str, Value], diagnostics: Diagnostics
) -> list[Value]:
    """Return the values whose names match any of ``patterns``, in the order of ``by_name``."""
    names = {name: name for name in by_name}
    kept = {
        name
        for index, pattern in enumerate(patterns)
        for name in matching(pattern, names, f"/include/{index}", diagnostics)
    }
    return [value for name, value in by_name.items() if name in kept]
