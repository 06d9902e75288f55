"""The catalogue for people and programs: what can be asked for, read off the schemes themselves."""

import inspect
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from service.catalogue.model_schemes import MODEL_SCHEMES
from service.catalogue.schemes import ALIASES, FRAMEWORKS, SCHEMES


@cache
def schemes() -> list[dict[str, Any]]:
    """Return every scheme: name, summary, formula, source, parameters, aliases; JSON-ready.

    >>> schemes()[0]["name"]
    'zeros'
    """
    return [
        _entry(name, kind)
        | {
            "aliases": {
                alias: init
                for alias, init in ALIASES.items()
                if init["scheme"] == name and alias != name
            },
        }
        for name, kind in SCHEMES.items()
    ]


@cache
def model_schemes() -> list[dict[str, Any]]:
    """Return every scheme over a model: name, summary, formula, source, parameters; JSON-ready.

    >>> [entry["name"] for entry in model_schemes()][:2]
    ['fixup', 't_fixup']
    """
    return [_entry(name, kind) for name, kind in MODEL_SCHEMES.items()]


def _entry(name: str, kind: type[Any]) -> dict[str, Any]:
    return {
        "name": name,
        "summary": (inspect.getdoc(kind) or "").partition("\n")[0],
        "formula": kind.formula,
        "source": kind.source,
        "parameters": _parameters(kind),
    }


def _parameters(kind: type[Any]) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema()
    required = schema.get("required", [])
    return {
        name: {key: value for key, value in entry.items() if key != "title"}
        | {"required": name in required}
        for name, entry in schema["properties"].items()
        if name != "scheme"
    }


@cache
def framework(name: str) -> dict[str, Any]:
    """Return what a framework calls its initializers; JSON-ready.

    Args:
        name: One of `service.catalogue.schemes.FRAMEWORKS`.

    >>> framework("mlx")["names"]["mlx.nn.init.he_normal"]["init"]
    {'scheme': 'variance_scaling', 'distribution': 'normal'}
    """
    found = FRAMEWORKS[name]
    return {
        "framework": name,
        "title": found.title,
        "layouts": found.layouts,
        "names": {
            alias: {"init": init, "note": found.notes.get(alias)}
            for alias, init in found.names.items()
        },
        "unmapped": found.unmapped,
    }
