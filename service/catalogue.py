"""The catalogue for people and programs: what can be asked for, read off the schemes themselves."""

import inspect
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from service.schemes import ALIASES, SCHEMES


@cache
def schemes() -> list[dict[str, Any]]:
    """Return every scheme: name, summary, formula, source, parameters, aliases; JSON-ready.

    >>> schemes()[0]["name"]
    'zeros'
    """
    return [
        {
            "name": name,
            "summary": (inspect.getdoc(kind) or "").partition("\n")[0],
            "formula": kind.formula,
            "source": kind.source,
            "parameters": _parameters(kind),
            "aliases": {
                alias: init
                for alias, init in ALIASES.items()
                if init["scheme"] == name and alias != name
            },
        }
        for name, kind in SCHEMES.items()
    ]


def _parameters(kind: type[Any]) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema()
    required = schema.get("required", [])
    return {
        name: {key: value for key, value in entry.items() if key != "title"}
        | {"required": name in required}
        for name, entry in schema["properties"].items()
        if name != "scheme"
    }
