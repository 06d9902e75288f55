"""``/v1/names``: names for stored recipes; earlier revisions of a name stay available."""

import re
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, Response

from service.errors import InvalidRecipe, truncate
from service.recipe.strictjson import read
from service.registry import Revision
from service.settings import Settings
from service.web.context import Context
from service.web.openapi import problems
from service.web.request import json_body
from service.web.shared.registry import AsyncRegistry

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_RESERVED = {"v1", "api", "docs", "datasets", "spaces"}
_RULE = (
    "a namespace and a name are 1 to 96 of A-Z a-z 0-9 . _ -, begin and end with a letter or a"
    " digit, hold no .. or -- and end in no .git; reserved are the namespaces "
    + ", ".join(sorted(_RESERVED))
)

router = APIRouter(prefix="/v1/names", tags=["names"])

Namespace = Annotated[str, Path(description="owner of the name")]
Name = Annotated[str, Path(description="name within the namespace")]
Limit = Annotated[int, Query(ge=1, le=1000, description="how many at most")]


_NAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The name refers to the recipe now, or did already."},
    201: {"description": "The name is new."},
    **problems(400, 404, 408, 409, 413, 415, 422, 503),
}


class Pointer(BaseModel):
    """The recipe that a name refers to."""

    model_config = ConfigDict(strict=True, extra="forbid")

    recipe_id: str = Field(pattern="^[0-9a-f]{64}$", description="of a stored recipe")


_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": Pointer.model_json_schema()}},
    }
}


def is_name(namespace: str, name: str) -> bool:
    """Return whether every client of the Hub passes these names on unchanged."""
    return namespace not in _RESERVED and all(
        re.fullmatch(_PART, part) and not re.search(r"\.\.|--|\.git$", part)
        for part in (namespace, name)
    )


@router.put("/{namespace}/{name}", response_class=Response, responses=_NAMED, openapi_extra=_BODY)
async def put(context: Context, namespace: Namespace, name: Name) -> Response:
    """Point a name to a stored recipe. The recipes before it stay available as revisions."""
    _check_name(namespace, name)
    pointer = _pointer(await json_body(context), context.shared.settings)
    registry = context.shared.registry
    point = registry.blocking.point
    revision, is_new = await registry.call(point, namespace, name, pointer.recipe_id)
    is_first = is_new and revision.number == 1
    status = HTTPStatus.CREATED if is_first else HTTPStatus.OK
    return JSONResponse(_document(revision), status)


@router.get("", response_class=Response, responses=problems(422, 503))
async def every(
    context: Context,
    namespace: Annotated[str | None, Query(description="only names in it")] = None,
    after: Annotated[
        str | None, Query(description="namespace/name at which the previous page ended")
    ] = None,
    limit: Limit = 100,
) -> Response:
    """List names in order, each with its latest revision, a page at a time."""
    registry = context.shared.registry
    last = None
    if after is not None:
        start, _, rest = after.partition("/")
        last = (start, rest)
    found = await registry.call(
        partial(registry.blocking.names, namespace=namespace, after=last, limit=limit)
    )
    more = f"{found[-1].namespace}/{found[-1].name}" if len(found) == limit else None
    return JSONResponse({"names": [_document(each) for each in found], "next": more})


@router.get("/{namespace}/{name}", response_class=Response, responses=problems(404, 503))
async def latest(context: Context, namespace: Namespace, name: Name) -> Response:
    """Return the latest revision of a name."""
    found = await revision_of(context.shared.registry, namespace, name)
    return JSONResponse(_document(found))


@router.get(
    "/{namespace}/{name}/revisions",
    response_class=Response,
    responses=problems(404, 422, 503),
)
async def revisions(
    context: Context,
    namespace: Namespace,
    name: Name,
    before: Annotated[
        int | None, Query(ge=1, description="number at which the previous page ended")
    ] = None,
    limit: Limit = 100,
) -> Response:
    """List the revisions of a name, newest first, a page at a time."""
    registry = context.shared.registry
    await revision_of(registry, namespace, name)
    found = await registry.call(
        partial(registry.blocking.revisions, namespace, name, before=before, limit=limit)
    )
    more = found[-1].number if len(found) == limit and found[-1].number > 1 else None
    return JSONResponse({"revisions": [_document(each) for each in found], "next": more})


async def revision_of(registry: AsyncRegistry, namespace: str, name: str) -> Revision:
    """Return the latest revision of a name.

    Raises:
        HTTPException: 404: there is no such name.
    """
    found = None
    if is_name(namespace, name):
        found = await registry.call(registry.blocking.revision, namespace, name)
    if found is None:
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"nothing is called {truncate(f'{namespace}/{name}')}"
        )
    return found


def _check_name(namespace: str, name: str) -> None:
    if not is_name(namespace, name):
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, _RULE)


def _pointer(text: bytes, settings: Settings) -> Pointer:
    _, problems_found = read(text, settings)
    try:
        pointer = Pointer.model_validate_json(text)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from None
    if problems_found:
        raise InvalidRecipe(problems_found)
    return pointer


def _document(revision: Revision) -> dict[str, Any]:
    return {
        "namespace": revision.namespace,
        "name": revision.name,
        "revision": revision.number,
        "recipe_id": revision.recipe_id,
        "created": stamp(revision),
    }


def stamp(revision: Revision) -> str:
    """Return when a revision was made, in the format of JavaScript and the Hub."""
    return revision.created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
