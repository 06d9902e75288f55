"""Name patterns of rules and include: ``*`` matches anything, dots too; nothing else is special."""

from collections.abc import Callable


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
