"""Models: a Hugging Face config.json to the tensors of its checkpoint. One family a file."""

import difflib
import inspect
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from service.catalogue.models.bert import Bert
from service.catalogue.models.clip import Clip, ClipText, ClipVision
from service.catalogue.models.config import Config, aliases_of
from service.catalogue.models.gpt2 import Gpt2
from service.catalogue.models.llama import Llama, Mistral, Qwen2, Qwen3
from service.catalogue.models.presets import presets
from service.catalogue.models.resnet import ResNet
from service.catalogue.models.t5 import T5
from service.catalogue.models.vit import Vit
from service.catalogue.models.whisper import Whisper
from service.errors import ModelError, Problem, truncate

FAMILIES: tuple[type[Config], ...] = (
    Gpt2,
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
    Bert,
    Vit,
    T5,
    Whisper,
    Clip,
    ClipText,
    ClipVision,
    ResNet,
)
"""Every family."""

MODEL_TYPES: dict[str, type[Config]] = {
    name: family for family in FAMILIES for name in family.model_types
}
"""Every family by the ``model_type`` of its config.json."""

DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
"""What a config.json calls the dtypes that it knows."""


def model_of(config: Mapping[str, Any]) -> Config:
    """Return the model that a config.json describes.

    Args:
        config: The document as it is; or a ``preset`` and what to change of it.

    Raises:
        ModelError: No family makes it, or a field that makes tensors is wrong.
    """
    document = config_of(config)
    named = document.get("model_type")
    if not isinstance(named, str) or named not in MODEL_TYPES:
        raise ModelError([_unknown("model_type", named, MODEL_TYPES, document)])
    try:
        return MODEL_TYPES[named].model_validate(document)
    except ValidationError as error:
        problems = [
            Problem("".join(f"/{step}" for step in entry["loc"]), _said(entry))
            for entry in error.errors(include_url=False)
        ]
        raise ModelError(problems) from None


def _said(entry: Any) -> str:
    """Return what is wrong with a field, and what it was."""
    if entry["type"] in ("model_type", "dataclass_type"):
        return "an object is expected"
    given = entry.get("input")
    shows = given is None or isinstance(given, str | int | float)
    return f"{entry['msg']} (given: {truncate(json.dumps(given))})" if shows else str(entry["msg"])


def config_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole config.json: a preset's fields, and over them those given.

    Args:
        config: A config.json, or a ``preset`` and what to change of it.

    Raises:
        ModelError: There is no such preset, or it is another kind of model.
    """
    if "preset" not in config:
        return dict(config)
    name = config["preset"]
    if not isinstance(name, str) or name not in presets():
        raise ModelError([_unknown("preset", name, presets(), config)])
    changes = {key: value for key, value in config.items() if key != "preset"}
    kind = presets()[name]["model_type"]
    if changes.get("model_type", kind) != kind:
        detail = f"the preset {name} is a {kind}: leave model_type out, or the preset"
        raise ModelError([Problem("/model_type", detail)])
    return presets()[name] | changes


def _unknown(key: str, named: Any, known: Mapping[str, Any], config: Mapping[str, Any]) -> Problem:
    valid = ", ".join(sorted(known))
    if key not in config:
        return Problem("", f"a model has a {key}, one of {valid}; or a preset")
    close = difflib.get_close_matches(str(named)[:100], known, n=1)
    hint = f": did you mean {close[0]}?" if close else ""
    return Problem(f"/{key}", f"no {key} is called {truncate(named)}{hint}; known are {valid}")


def catalogue() -> list[dict[str, Any]]:
    """Return every family: what its configs are, what it reads of them, its presets; JSON-ready.

    >>> catalogue()[0]["model_types"], catalogue()[0]["fields"]["n_layer"]["default"]
    (['gpt2'], 12)
    """
    return [
        {
            "model_types": list(family.model_types),
            "summary": (inspect.getdoc(family) or "").partition("\n")[0],
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


__all__ = ["DTYPES", "FAMILIES", "MODEL_TYPES", "Config", "catalogue", "config_of", "model_of"]
