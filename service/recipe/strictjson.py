"""Strict JSON: only what every parser reads in the same way.

Python's parser accepts NaN, duplicate keys, UTF-16 with a byte order mark and any depth. If two
parsers read a text differently, what is validated is not what is executed.

Source: RFC 8259; RFC 7493 (I-JSON) for the numbers and names that interoperate.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from service.errors import InvalidRecipe, MalformedRecipe, Problem, RecipeTooLarge, truncate
from service.limits import MAX_DIMENSION, Limits


def pointer(*steps: str | int) -> str:
    """Return an RFC 6901 JSON Pointer, with each step truncated as in error messages.

    >>> pointer("tensors", 0, "a/b")
    '/tensors/0/a~1b'
    """
    return "".join("/" + truncate(step).replace("~", "~0").replace("/", "~1") for step in steps)


_MAX_MEMBERS = 65_536
"""Most members of one object. Metadata may have many; errors for unknown ones take memory."""


_SEEDS = {("seed",), ("recipe", "seed")}
"""Paths of a recipe's seed, alone and inside an analysis: these integers may have 64 bits."""


class _Suspects:
    """Objects with a duplicate key and integers that are too large, to be located later."""

    def __init__(self) -> None:
        # The objects are kept, because the id of a freed object could be reused.
        self.duplicates: dict[int, tuple[str, dict[str, Any]]] = {}
        self.large = False

    def note_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Return an object's members; record the object if a key occurs twice."""
        members = dict(pairs)
        if len(members) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            self.duplicates[id(members)] = (counts.most_common(1)[0][0], members)
        return members

    def note_integer(self, digits: str) -> int:
        """Return an integer; record it if it is too large."""
        value = int(digits)
        self.large |= _is_large_integer(value)
        return value

    def note_real(self, text: str) -> float:
        """Return a real number; record it if RFC 8785 writes it as an integer that is too large."""
        value = float(text)
        self.large |= _is_large_integer(value)
        return value


def _is_large_integer(value: float) -> bool:
    # RFC 8785 writes reals below 1e21 as integers, so 1e20 becomes one, however it is written here.
    return abs(value) > MAX_DIMENSION and (isinstance(value, int) or abs(value) < 1e21)


def _refuse_constant(token: str) -> None:
    raise MalformedRecipe(f"{token} is not JSON: write a finite number")


def read(text: bytes, limits: Limits) -> tuple[Any, list[Problem]]:
    """Read one JSON document.

    Args:
        text: UTF-8 without a byte order mark.
        limits: ``max_body_bytes`` and ``max_depth`` limit it.

    Returns:
        The document, and a problem for each integer (except ``seed``) that not every JSON client
        represents exactly.

    Raises:
        RecipeTooLarge: More bytes than the limit.
        MalformedRecipe: Not JSON, with the position; or duplicate keys, or nested too deeply.
        InvalidRecipe: An object with too many members.
    """
    if len(text) > limits.max_body_bytes:
        raise RecipeTooLarge(
            f"the recipe is {len(text)} bytes; the limit (max_body_bytes) is"
            f" {limits.max_body_bytes}"
        )
    suspects = _Suspects()
    try:
        document = json.loads(
            _decoded(text),
            object_pairs_hook=suspects.note_object,
            parse_int=suspects.note_integer,
            parse_float=suspects.note_real,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise MalformedRecipe(
            f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise _too_deep(limits) from None
    except ValueError:  # Python limits digits, because conversion takes quadratic time
        raise MalformedRecipe(
            "an integer has thousands of digits: the largest is 2^64 - 1, in seed"
        ) from None
    _check_nesting(document, limits)
    if suspects.duplicates:
        raise _duplicate(document, suspects)
    return document, _large_integers(document) if suspects.large else []


def _decoded(text: bytes) -> str:
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedRecipe(f"not UTF-8: {error.reason} at byte {error.start}") from None
    if decoded.startswith("\ufeff"):
        raise MalformedRecipe("not JSON: the text starts with a byte order mark; leave it out")
    return decoded


def _too_deep(limits: Limits) -> MalformedRecipe:
    return MalformedRecipe(
        f"nested more than {limits.max_depth} levels deep (max_depth); a recipe needs 8"
    )


def _check_nesting(document: Any, limits: Limits) -> None:
    """Raise if a document is nested too deeply or an object has too many members."""
    level = [document]
    for _ in range(limits.max_depth + 1):
        containers = [node for node in level if isinstance(node, dict | list)]
        if not containers:
            return
        if any(len(node) > _MAX_MEMBERS for node in containers if isinstance(node, dict)):
            raise InvalidRecipe([Problem("", f"an object has more than {_MAX_MEMBERS} members")])
        level = [
            child
            for node in containers
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    raise _too_deep(limits)


def _walk(document: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield (steps, node) for every node, outermost first."""
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while pending:
        steps, node = pending.pop()
        yield steps, node
        pending.extend(((*steps, key), child) for key, child in reversed(_members(node)))


def _members(node: Any) -> list[tuple[str | int, Any]]:
    if isinstance(node, dict):
        return list(node.items())
    return list(enumerate(node)) if isinstance(node, list) else []


def _duplicate(document: Any, suspects: _Suspects) -> MalformedRecipe:
    for steps, node in _walk(document):
        if id(node) in suspects.duplicates:
            place = pointer(*steps, suspects.duplicates[id(node)][0])
            return MalformedRecipe(f"duplicate key at {place}: keep one of them")
    return MalformedRecipe("duplicate key inside an object that a duplicate key replaced")


def _large_integers(document: Any) -> list[Problem]:
    return [
        Problem(
            pointer(*steps),
            f"{truncate(node)} is an integer outside +-(2^53 - 1), which not every JSON client"
            " represents exactly",
        )
        for steps, node in _walk(document)
        if type(node) in (int, float) and _is_large_integer(node) and steps not in _SEEDS
    ]
