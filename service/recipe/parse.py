"""From a client's bytes to a `Recipe`, with every complaint at its place in the client's text."""

import difflib
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from pydantic import BaseModel, ValidationError

from service.errors import InvalidRecipe, MalformedRecipe, Problem, shown
from service.limits import Limits
from service.recipe.model import Recipe, Rule
from service.recipe.strictjson import pointer, read
from service.schemes import SCHEMES
from service.tensor import Draw, Part, Parts, StatedFan, Tensor

_OBJECTS: dict[str, type[BaseModel]] = {
    "tensors": Tensor,
    "rules": Rule,
    "parts": Parts,
    "of": Part,
    "fan": StatedFan,
    "draw": Draw,
}
_MISSING = {"missing", "missing_argument"}
_UNKNOWN_KEY = {"extra_forbidden", "unexpected_keyword_argument"}


def parse(source: bytes | str | Mapping[str, Any], limits: Limits | None = None) -> Recipe:
    """Return the recipe that a client wrote.

    Args:
        source: The JSON text, or its document as Python objects.
        limits: What it may ask for; the defaults if left out.

    Raises:
        RecipeTooLarge: More text than ``max_body_bytes``.
        MalformedRecipe: Not strict JSON.
        InvalidRecipe: JSON of another form than a recipe's; holds every problem, up to
            ``max_errors``, with a JSON Pointer each.

    >>> parse('{"seed": 1, "tensors": [{"name": "w", "shape": [2, 2], "init": "ones"}]}').seed
    1
    """
    limits = limits or Limits()
    text = _text_of(source)
    document, problems = read(text, limits)
    try:
        recipe = Recipe.model_validate_json(text)
    except ValidationError as error:
        listed = error.errors(include_url=False)
        if listed[0]["type"] == "json_invalid":  # a lone surrogate: json reads it, this does not
            raise MalformedRecipe(f"not JSON: {shown(listed[0]['msg'])}") from None
        found = _merged(_problem(entry, document) for entry in _all(listed, document, limits))
        said = {problem.pointer for problem in found}
        problems = found + [problem for problem in problems if problem.pointer not in said]
    if problems:
        raise InvalidRecipe(problems[: limits.max_errors])
    return recipe


def _all(listed: list[Any], document: Any, limits: Limits) -> list[Any]:
    """Add what is wrong with the other tensors to what is wrong with the first bad one.

    The recipe's arrays stop at their first bad item, because a hundred thousand errors would cost
    gigabytes; enough of them to report are found here, a tensor at a time.
    """
    first = next((entry["loc"] for entry in listed if _in_tensor(entry["loc"])), None)
    if first is None:
        return listed
    others = [entry for entry in listed if not _in_tensor(entry["loc"])]
    for index in range(first[1], len(document["tensors"])):
        if len(others) >= 4 * limits.max_errors:
            break
        try:
            Tensor.model_validate_json(json.dumps(document["tensors"][index]))
        except ValidationError as error:
            others.extend(
                {**entry, "loc": ("tensors", index, *entry["loc"])}
                for entry in error.errors(include_url=False)
            )
    return others


def _in_tensor(loc: tuple[str | int, ...]) -> bool:
    return len(loc) > 1 and loc[0] == "tensors"


def _text_of(source: bytes | str | Mapping[str, Any]) -> bytes:
    if isinstance(source, bytes | bytearray):
        return bytes(source)
    text = source if isinstance(source, str) else json.dumps(source, ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise MalformedRecipe("not Unicode: a lone surrogate") from None


def _merged(problems: Iterable[Problem]) -> list[Problem]:
    """Make one problem of those at one place: a value that fits no member of a union."""
    details: dict[str, list[str]] = {}
    for problem in problems:
        details.setdefault(problem.pointer, []).append(problem.detail)
    return [Problem(pointer, "; or ".join(said)) for pointer, said in details.items()]


def _problem(entry: Any, document: Any) -> Problem:
    """Turn one of pydantic's complaints into ours: its location also names union members."""
    steps: list[str | int] = []
    node: Any = document
    scheme: str | None = None
    for before, step in itertools.pairwise((None, *entry["loc"])):
        if before == "init" and step in SCHEMES:
            scheme = str(step)  # which member of the union was tried, not a place in the document
        elif _has(node, step):
            node = node[step]
            steps.append(step)
    field = entry["loc"][-1] if entry["loc"] else ""
    if entry["type"] in _MISSING and isinstance(node, dict):
        steps.append(field)
    return Problem(pointer(*steps), _detail(entry, steps, scheme))


def _has(node: Any, step: str | int) -> bool:
    if isinstance(node, list):
        return isinstance(step, int) and step < len(node)
    return isinstance(node, dict) and step in node


def _detail(entry: Any, steps: list[str | int], scheme: str | None) -> str:
    field = entry["loc"][-1] if entry["loc"] else ""
    if entry["type"] in _MISSING and isinstance(field, int):
        return "too few entries"
    if entry["type"] in _MISSING:
        return f"{scheme} needs {field}" if scheme else f"{field} is required"
    if entry["type"] in _UNKNOWN_KEY:
        return _unknown(str(field), steps, scheme)
    value = entry.get("input")
    if entry["type"] in ("unknown_scheme", "alias_as_scheme") or isinstance(value, dict | list):
        return str(entry["msg"])
    return f"{entry['msg']} (given: {shown(json.dumps(value, ensure_ascii=False))})"


def _unknown(key: str, steps: list[str | int], scheme: str | None) -> str:
    known = _known_keys(steps, scheme)
    close = difflib.get_close_matches(key[:100], known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
    return f"unknown key {shown(key)}: {hint}"


def _known_keys(steps: list[str | int], scheme: str | None) -> list[str]:
    if scheme is not None:
        return [field.name for field in fields(SCHEMES[scheme])]  # type: ignore[arg-type]
    names = [step for step in steps[:-1] if isinstance(step, str)]
    model = _OBJECTS.get(names[-1], Recipe) if names else Recipe
    return [field.alias or name for name, field in model.model_fields.items()]
