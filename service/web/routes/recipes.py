"""``/v1/recipes`` and ``/v1/r``: files of recipes that are stored, or in the link itself."""

import json
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request
from starlette.responses import Response

from service.checkpoint.files import RECIPE, WEIGHTS, Cut, TextFile
from service.errors import truncate
from service.plan import Plan
from service.recipe import Recipe
from service.recipe.link import link_of, text_of
from service.web.openapi import RECIPE_BODY, problems
from service.web.request.body import planned
from service.web.response.files import IMMUTABLE, RESPONSES, answer
from service.web.shared.library import Address, Library, Load
from service.web.shared.manifests import MANIFEST, Manifests

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
async def store(request: Request) -> Response:
    """Store a recipe. The same recipe has the same id, everywhere."""

    def described(recipe: Recipe, plan: Plan) -> tuple[Recipe, str]:
        about = {
            "recipe_id": recipe.recipe_id,
            "etag": plan.etag,
            "total_bytes": plan.nbytes,
            "url": link_to(recipe),
        }
        return recipe, json.dumps(about)

    library: Library = request.app.state.library
    recipe, about = await planned(request, described)
    is_new = await library.ask(library.registry.put_recipe, recipe.recipe_id, recipe.canonical)
    return Response(
        about,
        HTTPStatus.CREATED if is_new else HTTPStatus.OK,
        {"Location": f"{request.scope.get('root_path', '')}/v1/recipes/{recipe.recipe_id}"},
        "application/json",
    )


@router.head("/recipes/{recipe_id}", include_in_schema=False)
@router.get("/recipes/{recipe_id}", response_class=Response, responses=RESPONSES)
async def recipe(request: Request, recipe_id: Id) -> Response:
    """Return a stored recipe in its canonical form."""
    library: Library = request.app.state.library
    text = TextFile(RECIPE, await library.stored(recipe_id))
    return answer(request, text, cache=IMMUTABLE)


@router.head("/recipes/{recipe_id}/{name:path}", include_in_schema=False)
@router.get("/recipes/{recipe_id}/{name:path}", response_class=Response, responses=RESPONSES)
async def file(
    request: Request, recipe_id: Id, name: FileName, cut: Annotated[Cut, Query()]
) -> Response:
    """Return a file of a stored recipe, in whole or in part."""
    library: Library = request.app.state.library

    load = partial(library.stored, recipe_id)
    return await _file(request, Address(recipe_id, cut), load, name, is_kept=True)


@router.head("/r/{link}", include_in_schema=False)
@router.get("/r/{link}", response_class=Response, responses=RESPONSES)
async def linked_weights(request: Request, link: Link, cut: Annotated[Cut, Query()]) -> Response:
    """Return the weights of the recipe that the link itself carries, in whole or in part."""
    return await linked_file(request, link, WEIGHTS, cut)


@router.head("/r/{link}/{name:path}", include_in_schema=False)
@router.get("/r/{link}/{name:path}", response_class=Response, responses=RESPONSES)
async def linked_file(
    request: Request, link: Link, name: FileName, cut: Annotated[Cut, Query()]
) -> Response:
    """Return a file of the recipe that the link itself carries, in whole or in part."""

    async def load() -> bytes:
        return text_of(link)

    return await _file(request, Address(link, cut), load, name, is_kept=False)


async def _file(
    request: Request, address: Address, load: Load, name: str, *, is_kept: bool
) -> Response:
    library: Library = request.app.state.library
    manifests: Manifests = request.app.state.manifests
    found = await library.find(address, load)
    if name == MANIFEST:
        return await manifests.answer(request, found.shards, is_kept=is_kept)
    file = found.find(name)
    if file is None:
        names = ", ".join([*list(found.files)[:20], MANIFEST])
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no file {truncate(name)}; there are {names}")
    return answer(request, file, cache=IMMUTABLE, sha256=manifests.sha256(file))
