"""Listings of the catalogue, for people and programs, derived from the code itself; JSON-ready."""

import inspect
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from service.catalogue.layers import LAYERS, Layer
from service.catalogue.layers.layer import SEPARATORS
from service.catalogue.model_schemes import MODEL_SCHEMES
from service.catalogue.models import FAMILIES
from service.catalogue.models.config import Config, aliases_of
from service.catalogue.models.presets import presets
from service.catalogue.schemes import ALIASES, FRAMEWORKS, SCHEMES
from service.catalogue.schemes.scheme import canonical

_KEPT = ("type", "default", "minimum", "description")
"""The keys of a JSON schema that are listed for a layer's parameter."""


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


def _summary(kind: type[Any]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _entry(name: str, kind: type[Any]) -> dict[str, Any]:
    return {
        "name": name,
        "summary": _summary(kind),
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
    """Return a framework's names for its initializers; JSON-ready.

    Args:
        name: One of `service.catalogue.schemes.FRAMEWORKS`.

    >>> framework("mlx")["names"]["mlx.nn.init.he_normal"]["init"]
    {'scheme': 'variance_scaling', 'distribution': 'normal'}
    """
    table = FRAMEWORKS[name]
    return {
        "framework": name,
        "title": table.title,
        "layouts": table.layouts,
        "names": {
            alias: {"init": init, "note": table.notes.get(alias)}
            for alias, init in table.names.items()
        },
        "unmapped": table.unmapped,
    }


@cache
def layers() -> list[dict[str, Any]]:
    """Return every layer: type, summary, source, parameters, and an example's tensors; JSON-ready.

    A tensor's form has a letter for each axis, with merged axes in parentheses: I and J in, O and P
    out, G gates or projections, N groups, T twin biases, any other receptive field.

    >>> layers()[0]["type"]
    'linear'
    """
    return [
        {
            "type": name,
            "summary": _summary(kind),
            "source": kind.source,
            "parameters": _layer_parameters(kind),
            "example": kind.example,
            "conventions": _conventions(name, kind),
        }
        for name, kind in LAYERS.items()
    ]


def _layer_parameters(kind: type[Layer]) -> dict[str, Any]:
    schema = kind.model_json_schema()
    required = schema.get("required", [])
    kept = {name: entry for name, entry in schema["properties"].items() if name != "type"}
    own_first = sorted(kept, key=lambda name: name in Layer.model_fields)
    return {
        name: {"required": name in required} | {k: kept[name][k] for k in _KEPT if k in kept[name]}
        for name in own_first
    }


def _conventions(name: str, kind: type[Layer]) -> dict[str, Any]:
    """Return the tensors of an example in every convention that has it."""
    example = kind.model_validate({"name": "", "type": name, **kind.example}, strict=False)
    return {
        convention: [
            {"name": stored.name, "form": stored.form, "init": canonical(stored.init)}
            for parameter in example.parameters()
            for stored in parameter.tensors.get(convention, ())
        ]
        for convention in SEPARATORS
        if convention in next(iter(example.parameters())).tensors
    }


def models() -> list[dict[str, Any]]:
    """Return every model family: its configs, the fields read of them, its presets; JSON-ready.

    >>> models()[0]["model_types"], models()[0]["fields"]["n_layer"]["default"]
    (['gpt2'], 12)
    """
    return [
        {
            "model_types": list(family.model_types),
            "summary": _summary(family),
            "source": family.source,
            "architectures": list(family.known),
            "fields": {
                name: ({"aliases": aliases} if (aliases := aliases_of(family, name)) else {})
                | {key: value for key, value in entry.items() if key not in ("title", "$ref")}
                for name, entry in _properties(family).items()
            },
            "presets": [
                name
                for name, preset in presets().items()
                if preset["model_type"] in family.model_types
            ],
        }
        for family in FAMILIES
    ]


def _properties(family: type[Config]) -> dict[str, dict[str, Any]]:
    properties: dict[str, dict[str, Any]] = family.model_json_schema(by_alias=False)["properties"]
    return properties
