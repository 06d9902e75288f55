"""The OpenAPI document: the recipe's own schema, working examples, a problem for every error."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from service.analysis.question import Calibration, Question
from service.catalogue.schemes import SCHEMES
from service.recipe import Recipe
from service.web.middleware.authorization import OPEN
from service.web.request.multipart import DONOR_FORM, Fields
from service.web.request.multipart import MEDIA_TYPE as MULTIPART
from service.web.response.problems import MEDIA_TYPE, SCHEMA

_REFERENCE = "#/components/schemas/{model}"

EXAMPLES: dict[str, dict[str, Any]] = {
    "one layer": {
        "summary": "A linear layer for ReLU",
        "value": {
            "seed": 42,
            "tensors": [
                {"name": "fc.weight", "shape": [10, 784], "init": "kaiming_normal"},
                {"name": "fc.bias", "shape": [10], "init": "zeros"},
            ],
        },
    },
    "convolution": {
        "summary": "A convolution in HWIO layout, half precision",
        "value": {
            "seed": "18446744073709551615",
            "dtype": "BF16",
            "tensors": [
                {
                    "name": "conv.kernel",
                    "shape": [3, 3, 16, 32],
                    "layout": "HWIO",
                    "init": {"scheme": "kaiming", "mode": "fan_out", "distribution": "normal"},
                }
            ],
        },
    },
    "rules and parts": {
        "summary": "Packed gates, a rule over all biases, one slice",
        "value": {
            "seed": 7,
            "init": {"scheme": "xavier", "gain": "tanh"},
            "tensors": [
                {
                    "name": "lstm.weight",
                    "shape": [64, 16],
                    "parts": {"axis": 0, "of": [{"size": 16}] * 4},
                    "slice": [[0, 32], None],
                },
                {"name": "lstm.bias", "shape": [64]},
            ],
            "rules": [{"match": "*.bias", "init": "zeros"}],
        },
    },
}
"""Recipes that work as they are."""


def body_of(kind: type[BaseModel], examples: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the request body of a route that takes JSON of one kind.

    Args:
        kind: A model whose schema is in the document.
        examples: Examples that work as they are.
    """
    content = {"application/json": {"schema": _schema_of(kind), "examples": examples}}
    return {"requestBody": {"required": True, "content": content}}


def _schema_of(kind: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REFERENCE.format(model=kind.__name__)}


def with_form(body: dict[str, Any], fields: Fields) -> dict[str, Any]:
    """Return the request body of a route that also takes a form of its JSON and a file.

    Args:
        body: The request body of the JSON alone.
        fields: The names of the form's fields.
    """
    requested = body["requestBody"]
    file = {"type": "string", "format": "binary", "description": "A safetensors file."}
    text = requested["content"]["application/json"]["schema"]
    form = {
        "schema": {
            "type": "object",
            "properties": {fields.text: text, fields.file: file},
            "required": [*fields],
            "additionalProperties": False,
        },
        "encoding": {
            fields.text: {"contentType": "application/json"},
            fields.file: {"contentType": "application/octet-stream"},
        },
    }
    return {"requestBody": requested | {"content": requested["content"] | {MULTIPART: form}}}


RECIPE_BODY = body_of(Recipe, EXAMPLES)
"""The request body of every route that takes a recipe."""

DONOR_BODY = with_form(RECIPE_BODY, DONOR_FORM)
"""The request body of routes that take a donor, too."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the responses entry for error statuses."""
    schema = {"$ref": _REFERENCE.format(model="Problem")}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


FILE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {}},
        },
        "headers": {
            "ETag": {
                "description": "Equal tags mean equal bytes, always.",
                "schema": {"type": "string"},
            },
            "Repr-Digest": {
                "description": "The file's SHA-256, once its manifest.json was requested.",
                "schema": {"type": "string"},
            },
        },
    },
    206: {"description": "The requested range."},
    304: {"description": "The client has the file already."},
    **problems(404, 412, 416, 422, 429, 503),
}
"""The responses of routes that return files."""


_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
}


def _describe_keys(made: dict[str, Any]) -> None:
    """Document how a key is sent, and the errors of a server that needs one."""
    made["components"]["securitySchemes"] = _SECURITY
    refused = {str(status): response for status, response in problems(401, 403).items()}
    for path, methods in made["paths"].items():
        for operation in methods.values() if path not in OPEN else ():
            operation["security"] = [{}, *({name: []} for name in _SECURITY)]
            operation["responses"] = dict(sorted((operation["responses"] | refused).items()))


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of ``app``; it is computed once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            servers=app.servers,
        )
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        for model in (Recipe, Question, Calibration):
            schema = model.model_json_schema(ref_template=_REFERENCE)
            schemas |= schema.pop("$defs") | {model.__name__: schema}
        for model in (
            Question,
            Calibration,
        ):  # their recipe is parsed separately, for its JSON Pointers
            schemas[model.__name__]["properties"]["recipe"] = _schema_of(Recipe)
        schemas["Problem"] = SCHEMA
        for schema in schemas.values():  # the rest of a docstring is for readers of the source
            schema["description"] = schema.get("description", "").partition("\n\nArgs:")[0]
        for kind in SCHEMES.values():  # its default is for Python callers only
            entry = schemas[kind.__name__]
            entry["required"] = sorted({"scheme", *entry.get("required", ())})
        _describe_keys(made)
        app.openapi_schema = made
    return app.openapi_schema
