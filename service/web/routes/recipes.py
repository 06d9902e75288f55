"""``/v1/recipes`` and ``/v1/r``: files of stored recipes, and of recipes in the URL itself."""

import json
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query
from starlette.responses import Response

from service.checkpoint.files import RECIPE, WEIGHTS, Cut, TextFile
from service.errors import truncate
from service.plan import Plan
from service.recipe import Recipe
from service.recipe.link import link_of, text_of
from service.web.context import Context, RequestContext
from service.web.openapi import FILE_RESPONSES, RECIPE_BODY, problems
from service.web.request import plan_body
from service.web.response.files import IMMUTABLE, file_response
from service.web.response.manifest import MANIFEST, manifest_response
from service.web.shared.library import Address, Load

router = APIRouter(prefix="/v1", tags=["recipes"])

Id = Annotated[str, Path(description="64 lower-case hexadecimal digits")]
Link = Annotated[str, Path(description="base64url of the zlib-compressed canonical recipe")]
FileName = Annotated[str, Path(description="model.safetensors, recipe.json, manifest.json ...")]

_STORED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The recipe was known."},
    201: {"description": "The recipe is stored."},
    **problems(400, 408, 413, 415, 422, 429, 503),
}


def link_to(recipe: Recipe) -> str | None:
    """Return the path of a recipe's self-contained URL, where it is short enough."""
    link = link_of(recipe)
    return link and f"/v1/r/{link}"


@router.post("/recipes", response_class=Response, responses=_STORED, openapi_extra=RECIPE_BODY)
async def store(context: Context) -> Response:
    """Store a recipe. The same recipe has the same id, everywhere."""

    def described(recipe: Recipe, plan: Plan) -> tuple[Recipe, str]:
        about = {
            "recipe_id": recipe.recipe_id,
            "etag": plan.etag,
            "total_bytes": plan.nbytes,
            "url": link_to(recipe),
        }
        return recipe, json.dumps(about)

    recipe, about = await plan_body(context, described)
    registry = context.shared.registry
    is_new = await registry.call(registry.blocking.put_recipe, recipe.recipe_id, recipe.canonical)
    prefix = context.request.scope.get("root_path", "")
    return Response(
        about,
        HTTPStatus.CREATED if is_new else HTTPStatus.OK,
        {"Location": f"{prefix}/v1/recipes/{recipe.recipe_id}"},
        "application/json",
    )


@router.head("/recipes/{recipe_id}", include_in_schema=False)
@router.get("/recipes/{recipe_id}", response_class=Response, responses=FILE_RESPONSES)
async def recipe(context: Context, recipe_id: Id) -> Response:
    """Return a stored recipe in its canonical form."""
    text = TextFile(RECIPE, await context.shared.registry.recipe(recipe_id))
    return file_response(context, text, cache=IMMUTABLE)


@router.head("/recipes/{recipe_id}/{name:path}", include_in_schema=False)
@router.get("/recipes/{recipe_id}/{name:path}", response_class=Response, responses=FILE_RESPONSES)
async def file(
    context: Context, recipe_id: Id, name: FileName, cut: Annotated[Cut, Query()]
) -> Response:
    """Return a file of a stored recipe, in whole or in part."""
    load = partial(context.shared.registry.recipe, recipe_id)
    return await _file(context, Address(recipe_id, cut), load, name, is_stored=True)


@router.head("/r/{link}", include_in_schema=False)
@router.get("/r/{link}", response_class=Response, responses=FILE_RESPONSES)
async def linked_weights(context: Context, link: Link, cut: Annotated[Cut, Query()]) -> Response:
    """Return the weights of the recipe that the link itself carries, in whole or in part."""
    return await linked_file(context, link, WEIGHTS, cut)


@router.head("/r/{link}/{name:path}", include_in_schema=False)
@router.get("/r/{link}/{name:path}", response_class=Response, responses=FILE_RESPONSES)
async def linked_file(
    context: Context, link: Link, name: FileName, cut: Annotated[Cut, Query()]
) -> Response:
    """Return a file of the recipe that the link itself carries, in whole or in part."""

    async def load() -> bytes:
        return text_of(link)

    return await _file(context, Address(link, cut), load, name, is_stored=False)


async def _file(
    context: RequestContext, address: Address, load: Load, name: str, *, is_stored: bool
) -> Response:
    shared = context.shared
    found = await shared.library.find(address, load)
    if name == MANIFEST:
        return await manifest_response(context, found.shards, is_stored=is_stored)
    file = found.find(name)
    if file is None:
        names = ", ".join([*list(found.files)[:20], MANIFEST])
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no file {truncate(name)}; there are {names}")
    return file_response(context, file, cache=IMMUTABLE, sha256=shared.manifests.sha256(file))
