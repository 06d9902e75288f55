"""Models: a Hugging Face config.json to the tensors of its checkpoint. One family a file."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from service.errors import ModelError, Problem, shown
from service.models.config import Config
from service.models.gpt2 import Gpt2

FAMILIES: tuple[type[Config], ...] = (Gpt2,)
"""Every family."""

MODEL_TYPES: dict[str, type[Config]] = {
    name: family for family in FAMILIES for name in family.model_types
}
"""Every family by the ``model_type`` of its config.json."""


def model_of(config: Mapping[str, Any]) -> Config:
    """Return the model that a config.json describes.

    Args:
        config: The document as it is.

    Raises:
        ModelError: No family makes it, or a field that makes tensors is wrong.
    """
    named = config.get("model_type")
    if not isinstance(named, str) or named not in MODEL_TYPES:
        known = ", ".join(sorted(MODEL_TYPES))
        detail = f"no model_type {shown(named)} is known; known are {known}"
        raise ModelError([Problem("/model_type" if "model_type" in config else "", detail)])
    try:
        return MODEL_TYPES[named].model_validate(dict(config))
    except ValidationError as error:
        problems = [
            Problem("".join(f"/{step}" for step in entry["loc"]), entry["msg"])
            for entry in error.errors(include_url=False)
        ]
        raise ModelError(problems) from None


__all__ = ["FAMILIES", "MODEL_TYPES", "Config", "model_of"]
