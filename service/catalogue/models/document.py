"""The config.json beside a model's weights."""

from collections.abc import Mapping
from typing import Any

from service.catalogue.models import config_of, model_of
from service.catalogue.models.config import Config


def document_of(config: Mapping[str, Any], dtype: str | None) -> dict[str, Any]:
    """Return the config.json for the checkpoint of a recipe's model; JSON-ready.

    Args:
        config: The recipe's config.json, or a preset and the fields to change.
        dtype: The dtype of the weights in a config.json's spelling; None leaves it out.

    Raises:
        ModelError: No family matches, or a field that determines tensors is wrong.

    >>> made = document_of({"model_type": "gpt2", "torch_dtype": "float16"}, "float32")
    >>> made["architectures"], made["dtype"], "torch_dtype" in made
    (['GPT2LMHeadModel'], 'float32', False)
    """
    model = model_of(config)
    document = _with_reals(model, config_of(config))
    for key in ("dtype", "torch_dtype"):  # ignored in a recipe, so it may differ from the file's
        document.pop(key, None)
    document["architectures"] = [model.architecture]
    return document | ({"dtype": dtype} if dtype else {})


def _with_reals(model: Config, document: Mapping[str, Any]) -> dict[str, Any]:
    """Write real-valued fields as reals: some libraries refuse 1 for 1.0.

    A canonical recipe has 1 for both.
    """
    made = dict(document)
    for field in type(model).model_fields:
        key, value = model.key_of(field), getattr(model, field)
        if isinstance(value, Config) and isinstance(document.get(key), Mapping):
            made[key] = _with_reals(value, document[key])
        elif isinstance(value, float) and document.get(key) is not None:
            made[key] = value
    return made
