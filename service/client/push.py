"""Stores a recipe in a service under a name."""

import json
from typing import NamedTuple

from pydantic import BaseModel, Field, ValidationError

from service.client.remote import Remote
from service.errors import RemoteError


class _Stored(BaseModel):
    recipe_id: str = Field(pattern="^[0-9a-f]{64}$")


class _Named(BaseModel):
    revision: int


class Pushed(NamedTuple):
    """The new revision of a name.

    Args:
        revision: Its number.
        recipe_id: Id of the recipe.
        url: Permanent URL of the weights.
    """

    revision: int
    recipe_id: str
    url: str


def store(remote: Remote, recipe: bytes, name: str) -> Pushed:
    """Store a recipe and point a name to it.

    Args:
        remote: The service.
        recipe: Its text; the service validates it.
        name: ``namespace/name``.

    Raises:
        InvalidRecipe: The service reports errors, with JSON Pointers.
        RemoteError: The service refuses for another reason, or cannot be reached.
    """
    response = remote.send("POST", "/v1/recipes", recipe)
    try:
        recipe_id = _Stored.model_validate_json(response).recipe_id
        body = json.dumps({"recipe_id": recipe_id}).encode()
        response = remote.send("PUT", f"/v1/names/{name}", body)
        revision = _Named.model_validate_json(response).revision
    except ValidationError:
        raise RemoteError(
            f"{remote.url} does not respond like a tensorseed service: check the URL"
        ) from None
    url = f"{remote.url}/v1/recipes/{recipe_id}/model.safetensors"
    return Pushed(revision, recipe_id, url)
