"""The catalogue of layers for people and programs, read off the layers themselves."""

import inspect
from functools import cache
from typing import Any

from service.catalogue.layers import LAYERS, Layer
from service.catalogue.layers.layer import SEPARATORS
from service.catalogue.schemes.scheme import canonical


@cache
def layers() -> list[dict[str, Any]]:
    """Return every layer: type, summary, source, parameters, and an example's tensors; JSON-ready.

    A tensor's form has a letter an axis, in brackets where several are merged: I and J in, O and P
    out, G gates or projections, N groups, T twin biases, any other receptive field.

    >>> layers()[0]["type"]
    'linear'
    """
    return [
        {
            "type": name,
            "summary": (inspect.getdoc(kind) or "").partition("\n")[0],
            "source": kind.source,
            "parameters": _parameters(kind),
            "example": kind.example,
            "conventions": _conventions(name, kind),
        }
        for name, kind in LAYERS.items()
    ]


def _parameters(kind: type[Layer]) -> dict[str, Any]:
    schema = kind.model_json_schema()
    required = schema.get("required", [])
    kept = {name: entry for name, entry in schema["properties"].items() if name != "type"}
    own = sorted(kept, key=lambda name: name in Layer.model_fields)
    return {
        name: {"required": name in required} | {k: kept[name][k] for k in _KEPT if k in kept[name]}
        for name in own
    }


_KEPT = ("type", "default", "minimum", "description")


def _conventions(name: str, kind: type[Layer]) -> dict[str, Any]:
    """Return the tensors of an example in every convention that has it."""
    made = kind.model_validate({"name": "", "type": name, **kind.example}, strict=False)
    return {
        convention: [
            {"name": held.name, "form": held.form, "init": canonical(held.init)}
            for parameter in made.parameters()
            for held in parameter.held.get(convention, ())
        ]
        for convention in SEPARATORS
        if convention in next(iter(made.parameters())).held
    }
