"""From a client's bytes to a `Recipe`, with a JSON Pointer for every error."""

import difflib
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from service.catalogue.layers import LAYERS
from service.catalogue.model_schemes import MODEL_SCHEMES
from service.catalogue.schemes import SCHEMES
from service.catalogue.tensor import Draw, Part, Parts, StatedFan, Tensor
from service.errors import InvalidRecipe, MalformedRecipe, Problem, truncate
from service.limits import Limits
from service.recipe.model import Recipe, Rule
from service.recipe.strictjson import pointer, read

_OBJECTS: dict[str, type[BaseModel]] = {
    "tensors": Tensor,
    "rules": Rule,
    "parts": Parts,
    "of": Part,
    "fan": StatedFan,
    "draw": Draw,
}
_UNIONS: dict[str, Mapping[str, Any]] = {
    "init": SCHEMES,
    "bias_init": SCHEMES,
    "model_scheme": MODEL_SCHEMES,
}

Document = TypeVar("Document", bound=BaseModel)

_MISSING = {"missing", "missing_argument"}
_UNKNOWN_KEY = {"extra_forbidden", "unexpected_keyword_argument"}


def parse(source: bytes | str | Mapping[str, Any], limits: Limits | None = None) -> Recipe:
    """Return the recipe that a client wrote.

    Args:
        source: The JSON text, or its document as Python objects.
        limits: The limits of the recipe; the defaults if left out.

    Raises:
        RecipeTooLarge: More text than ``max_body_bytes``.
        MalformedRecipe: Not strict JSON.
        InvalidRecipe: JSON that is not a recipe; holds all errors, up to ``max_errors``, each
            with a JSON Pointer.

    >>> parse('{"seed": 1, "tensors": [{"name": "w", "shape": [2, 2], "init": "ones"}]}').seed
    1
    """
    return document_of(Recipe, _text_of(source), limits or Limits())


def document_of(kind: type[Document], text: bytes, limits: Limits) -> Document:
    """Return a client's JSON document as a model: a recipe, or another one.

    Args:
        kind: A strict model.
        text: JSON.
        limits: How long and how deep it may be, and how many errors are reported.

    Raises:
        RecipeTooLarge: More text than ``max_body_bytes``.
        MalformedRecipe: Not strict JSON.
        InvalidRecipe: JSON that does not fit the model; holds all errors.
    """
    document, problems = read(text, limits)
    try:
        model = kind.model_validate_json(text)
    except ValidationError as error:
        listed = error.errors(include_url=False)
        if listed[0]["type"] == "json_invalid":  # a lone surrogate, which json accepts
            raise MalformedRecipe(f"not JSON: {truncate(listed[0]['msg'])}") from None
        found = _merged(_problem(entry, document, kind) for entry in _all(listed, document, limits))
        pointers = {problem.pointer for problem in found}
        problems = found + [each for each in problems if each.pointer not in pointers]
    if problems:
        raise InvalidRecipe(problems[: limits.max_errors])
    return model


def _all(listed: list[Any], document: Any, limits: Limits) -> list[Any]:
    """Add the errors of the other tensors to those of the first bad one.

    Validation of an array stops at the first bad item, because a hundred thousand errors would
    take gigabytes. The other tensors are validated here, one at a time, until there are enough
    errors to report.
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
    """Merge the errors at one place: those of a value that fits no member of a union."""
    details: dict[str, list[str]] = {}
    for problem in problems:
        details.setdefault(problem.pointer, []).append(problem.detail)
    return [Problem(pointer, "; or ".join(texts)) for pointer, texts in details.items()]


class _Member(NamedTuple):
    """A member of a union that pydantic tried: its name and its keys."""

    name: str
    keys: list[str]


def _member(steps: list[str | int], before: str | int | None, step: str | int) -> _Member | None:
    """Return the union member that a step of pydantic's location names, or None."""
    if len(steps) == 2 and steps[0] == "layers" and step in LAYERS:
        return _Member(str(step), list(LAYERS[str(step)].model_fields))
    table = _UNIONS.get(str(before), {})
    if step in table:
        return _Member(str(step), [field.name for field in fields(table[str(step)])])
    return None


def _problem(entry: Any, document: Any, kind: type[BaseModel]) -> Problem:
    """Convert an error of pydantic. Its location also names union members."""
    steps: list[str | int] = []
    node: Any = document
    member: _Member | None = None
    for before, step in itertools.pairwise((None, *entry["loc"])):
        candidate = _member(steps, before, step)
        if candidate and (member is None or candidate.name != member.name):
            member = candidate  # not a place in the document
        elif _has(node, step):
            node = node[step]
            steps.append(step)
    field = entry["loc"][-1] if entry["loc"] else ""
    if entry["type"] in _MISSING and isinstance(node, dict):
        steps.append(field)
    return Problem(pointer(*steps), _detail(entry, steps, member, kind))


def _has(node: Any, step: str | int) -> bool:
    if isinstance(node, list):
        return isinstance(step, int) and step < len(node)
    return isinstance(node, dict) and step in node


def _detail(
    entry: Any, steps: list[str | int], member: _Member | None, kind: type[BaseModel]
) -> str:
    field = entry["loc"][-1] if entry["loc"] else ""
    if entry["type"] in _MISSING and isinstance(field, int):
        return "too few entries"
    if entry["type"] in _MISSING:
        return f"{member.name} needs {field}" if member else f"{field} is required"
    if entry["type"] in _UNKNOWN_KEY:
        return _unknown(str(field), member.keys if member else _known_keys(steps, kind))
    value = entry.get("input")
    if entry["type"] in ("unknown_scheme", "alias_as_scheme") or isinstance(value, dict | list):
        return str(entry["msg"])
    return f"{entry['msg']} (given: {truncate(json.dumps(value, ensure_ascii=False))})"


def _unknown(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key[:100], known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
    return f"unknown key {truncate(key)}: {hint}"


def _known_keys(steps: list[str | int], kind: type[BaseModel]) -> list[str]:
    names = [step for step in steps[:-1] if isinstance(step, str)]
    model = (_OBJECTS.get(names[-1]) or _member_model(kind, names[-1])) if names else kind
    return [field.alias or name for name, field in model.model_fields.items()]


def _member_model(kind: type[BaseModel], name: str) -> type[BaseModel]:
    """Return the model of a member of ``kind`` that is an object; ``kind`` if it is not one."""
    field = kind.model_fields.get(name)
    annotation = field.annotation if field else None
    models = (each for each in (annotation, *get_args(annotation)) if isinstance(each, type))
    return next((each for each in models if issubclass(each, BaseModel)), kind)
