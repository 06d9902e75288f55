"""Models: a Hugging Face config.json expands to a checkpoint's tensors. One family a file."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from service.catalogue.models.bert import Bert
from service.catalogue.models.clip import Clip, ClipText, ClipVision
from service.catalogue.models.config import Config
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
"""All families."""

MODEL_TYPES: dict[str, type[Config]] = {
    name: family for family in FAMILIES for name in family.model_types
}
"""Every family by the ``model_type`` of its config.json."""

DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
"""The spelling of dtypes in a config.json."""


def model_of(config: Mapping[str, Any]) -> Config:
    """Return the model that a config.json describes.

    Args:
        config: A config.json unchanged, or a ``preset`` and the fields to change.

    Raises:
        ModelError: No family matches, or a field that determines tensors is wrong.
    """
    document = config_of(config)
    named = document.get("model_type")
    if not isinstance(named, str) or named not in MODEL_TYPES:
        raise ModelError([_unknown("model_type", named, MODEL_TYPES, document)])
    try:
        return MODEL_TYPES[named].model_validate(document)
    except ValidationError as error:
        problems = [
            Problem("".join(f"/{step}" for step in entry["loc"]), _detail(entry))
            for entry in error.errors(include_url=False)
        ]
        raise ModelError(problems) from None


def _detail(entry: Any) -> str:
    """Return what is wrong with a field, and its value."""
    if entry["type"] in ("model_type", "dataclass_type"):
        return "an object is expected"
    given = entry.get("input")
    shows = given is None or isinstance(given, str | int | float)
    return f"{entry['msg']} (given: {truncate(json.dumps(given))})" if shows else str(entry["msg"])


def config_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole config.json: a preset's fields, overridden by the given ones.

    Args:
        config: A config.json, or a ``preset`` and the fields to change.

    Raises:
        ModelError: There is no such preset, or it has another model_type.
    """
    if "preset" not in config:
        return dict(config)
    name = config["preset"]
    if not isinstance(name, str) or name not in presets():
        raise ModelError([_unknown("preset", name, presets(), config)])
    changes = {key: value for key, value in config.items() if key != "preset"}
    kind = presets()[name]["model_type"]
    if changes.get("model_type", kind) != kind:
        detail = f"the preset {name} has the model_type {kind}: leave out model_type or preset"
        raise ModelError([Problem("/model_type", detail)])
    return presets()[name] | changes


def _unknown(key: str, named: Any, known: Mapping[str, Any], config: Mapping[str, Any]) -> Problem:
    valid = ", ".join(sorted(known))
    if key not in config:
        return Problem("", f"a model needs a preset, or a {key}, one of {valid}")
    close = difflib.get_close_matches(str(named)[:100], known, n=1)
    hint = f": did you mean {close[0]}?" if close else ""
    return Problem(f"/{key}", f"no {key} is called {truncate(named)}{hint}; known are {valid}")


__all__ = ["DTYPES", "FAMILIES", "MODEL_TYPES", "Config", "config_of", "model_of"]
