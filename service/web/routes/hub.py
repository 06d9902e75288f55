"""The API of the Hugging Face Hub, so that its clients need only ``HF_ENDPOINT`` to use a server.

A repository is a name, and its files are those of a checkpoint. Revisions are ``main``, ``r3`` (the
third revision of the name), ``seed-7`` and ``r3-seed-7`` (the same recipe with another seed), and
commits: 24 hexadecimal digits of the recipe's id and 16 of the seed, so none has to be stored.
"""

import json
import re
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Path
from starlette.responses import JSONResponse, Response

from service.checkpoint.files import CONFIG, Checkpoint, File
from service.errors import MalformedRecipe, truncate
from service.registry import Revision
from service.web.context import Context, RequestContext
from service.web.openapi import FILE_RESPONSES, problems
from service.web.request import media_type, raw_body
from service.web.response.files import IMMUTABLE, REVALIDATED, file_response
from service.web.routes.names import Name, Namespace, is_name, stamp
from service.web.shared.library import Address
from service.web.shared.registry import AsyncRegistry

router = APIRouter(tags=["hub"])

_SEED = r"seed-(?P<seed>0|[1-9]\d{0,19})"
_BRANCH = re.compile(
    rf"main|HEAD|(?:r(?P<number>[1-9]\d{{0,8}})-)?{_SEED}|r(?P<only>[1-9]\d{{0,8}})"
)
_COMMIT = re.compile(r"([0-9a-f]{24})([0-9a-f]{16})")

_MOST_PATHS = 10_000

Rev = Annotated[str, Path(description="main, r3, seed-7, r3-seed-7 or a commit")]


_FOUND: dict[int | str, dict[str, Any]] = {
    200: {"description": "As the Hub describes it."},
    **problems(404, 422, 503),
}


class _Repository(NamedTuple):
    """A name at a revision."""

    revision: Revision
    checkpoint: Checkpoint

    @property
    def id(self) -> str:
        """The repository's id for clients."""
        return f"{self.revision.namespace}/{self.revision.name}"

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every response about it."""
        return {"X-Repo-Commit": self.commit}

    @property
    def commit(self) -> str:
        """The revision's permanent id."""
        return f"{self.revision.recipe_id[:24]}{self.checkpoint.recipe.seed:016x}"

    def file(self, path: str) -> File:
        """Return a file.

        Raises:
            HTTPException: 404: there is no such file.
        """
        file = self.checkpoint.files.get(path)
        if file is None:
            raise _missing("EntryNotFound", f"{self.id} has no file {truncate(path)}", self.headers)
        return file

    def entry(self, file: File) -> dict[str, Any]:
        """Return the entry of a file in a listing."""
        title = f"r{self.revision.number}, seed {self.checkpoint.recipe.seed}"
        last = {"id": self.commit, "title": title, "date": stamp(self.revision)}
        return {
            "type": "file",
            "path": file.name,
            "size": file.nbytes,
            "oid": _oid(file),
            "lastCommit": last,
        }


@router.head("/{namespace}/{name}/raw/{revision}/{path:path}", include_in_schema=False)
@router.get("/{namespace}/{name}/raw/{revision}/{path:path}", include_in_schema=False)
@router.head("/{namespace}/{name}/resolve/{revision}/{path:path}", include_in_schema=False)
@router.get(
    "/{namespace}/{name}/resolve/{revision}/{path:path}",
    response_class=Response,
    responses=FILE_RESPONSES,
)
async def resolve(
    context: Context, namespace: Namespace, name: Name, revision: Rev, path: str
) -> Response:
    """Return a file of a repository, in whole or in part."""
    found = await _repository(context, namespace, name, revision)
    file = found.file(path)
    headers = found.headers | {"X-Linked-Size": str(file.nbytes), "X-Linked-Etag": file.etag}
    cache = IMMUTABLE if _COMMIT.fullmatch(revision) else REVALIDATED
    sha256 = context.shared.manifests.sha256(file)
    return file_response(context, file, cache=cache, sha256=sha256, headers=headers)


@router.get("/api/models/{namespace}/{name}", response_class=Response, responses=_FOUND)
async def model(context: Context, namespace: Namespace, name: Name) -> Response:
    """Describe a repository as it is now."""
    return await model_at(context, namespace, name, "main")


@router.get(
    "/api/models/{namespace}/{name}/revision/{revision}", response_class=Response, responses=_FOUND
)
async def model_at(context: Context, namespace: Namespace, name: Name, revision: Rev) -> Response:
    """Describe a repository at a revision."""
    found = await _repository(context, namespace, name, revision)
    plan = found.checkpoint.whole.plan
    counts: dict[str, int] = {}
    for tensor in plan.tensors:
        counts[tensor.dtype.name] = counts.get(tensor.dtype.name, 0) + tensor.elements
    config = found.checkpoint.files.get(CONFIG)
    created = stamp(found.revision)
    return JSONResponse(
        {
            "_id": found.commit[:24],
            "id": found.id,
            "modelId": found.id,
            "author": namespace,
            "sha": found.commit,
            "createdAt": created,
            "lastModified": created,
            "private": False,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": ["safetensors", *(["transformers"] if config else [])],
            **({"library_name": "transformers"} if config else {}),
            "siblings": [_sibling(file) for file in found.checkpoint.files.values()],
            "safetensors": {"parameters": counts, "total": plan.total_parameters},
        },
        headers=found.headers | {"Cache-Control": REVALIDATED},
    )


@router.get("/api/models/{namespace}/{name}/refs", response_class=Response, responses=_FOUND)
async def refs(context: Context, namespace: Namespace, name: Name) -> Response:
    """List the one branch; every seed and every commit is a revision, too."""
    found = await _repository(context, namespace, name, "main")
    branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": found.commit}
    return JSONResponse({"branches": [branch], "converts": [], "pullRequests": [], "tags": []})


@router.get(
    "/api/models/{namespace}/{name}/tree/{revision}", response_class=Response, responses=_FOUND
)
async def tree(context: Context, namespace: Namespace, name: Name, revision: Rev) -> Response:
    """List a repository's files at a revision."""
    found = await _repository(context, namespace, name, revision)
    listed = [found.entry(file) for file in found.checkpoint.files.values()]
    return JSONResponse(listed, headers=found.headers)


@router.get("/api/models/{namespace}/{name}/tree/{revision}/{path:path}", include_in_schema=False)
async def subtree(
    context: Context, namespace: Namespace, name: Name, revision: Rev, path: str
) -> Response:
    """Report that a repository has no folders.

    Raises:
        HTTPException: 404, except for the root.
    """
    if not path:
        return await tree(context, namespace, name, revision)
    found = await _repository(context, namespace, name, revision)
    raise _missing("EntryNotFound", f"{found.id} has no folder {truncate(path)}", found.headers)


@router.post(
    "/api/models/{namespace}/{name}/paths-info/{revision}",
    response_class=Response,
    responses=_FOUND | problems(400, 408, 413, 415),
)
async def paths_info(context: Context, namespace: Namespace, name: Name, revision: Rev) -> Response:
    """List those of the given files that a repository has at a revision."""
    paths = _paths(await raw_body(context), media_type(context.request))
    found = await _repository(context, namespace, name, revision)
    files = found.checkpoint.files
    listed = [found.entry(files[path]) for path in dict.fromkeys(paths) if path in files]
    return JSONResponse(listed, headers=found.headers)


async def _repository(
    context: RequestContext, namespace: str, name: str, revision: str
) -> _Repository:
    """Return a name at a revision, planned.

    Raises:
        HTTPException: 404: there is no such name, or no such revision of it.
    """
    library, registry = context.shared.library, context.shared.registry
    found, seed = await _revision(registry, namespace, name, revision)
    load = partial(registry.recipe, found.recipe_id)
    checkpoint = await library.find(Address(found.recipe_id), load)
    if seed not in (None, checkpoint.recipe.seed):
        checkpoint = await library.find(Address(found.recipe_id, seed=seed), load)
    return _Repository(found, checkpoint)


async def _revision(
    registry: AsyncRegistry, namespace: str, name: str, revision: str
) -> tuple[Revision, int | None]:
    title = truncate(f"{namespace}/{name}")
    is_known = is_name(namespace, name)
    found, seed = None, None
    if is_known and (commit := _COMMIT.fullmatch(revision)):
        found = await registry.commit(namespace, name, commit[1])
        seed = int(commit[2], 16)
    elif is_known and (wanted := _BRANCH.fullmatch(revision)):
        number = wanted["number"] or wanted["only"]
        seed = int(wanted["seed"]) if wanted["seed"] else None
        asked = int(number) if number else None
        found = await registry.call(registry.blocking.revision, namespace, name, asked)
    if found is not None and (seed or 0) < 2**64:
        return found, seed
    if not is_known or await registry.call(registry.blocking.revision, namespace, name) is None:
        raise _missing("RepoNotFound", f"nothing is called {title}")
    raise _missing(
        "RevisionNotFound",
        f"{title} has no revision {truncate(revision)}: there are main, r1 to the latest, seed-0 to"
        " seed-18446744073709551615, r1-seed-0 and so on, and commits",
    )


def _missing(code: str, detail: str, headers: Mapping[str, str] | None = None) -> HTTPException:
    # The detail contains the path, which must not end the header.
    said = "".join(letter if " " <= letter <= "~" else "?" for letter in detail)
    told = {"X-Error-Code": code, "X-Error-Message": said}
    return HTTPException(HTTPStatus.NOT_FOUND, detail, told | dict(headers or {}))


def _paths(text: bytes, kind: str) -> list[str]:
    """Return the paths that a client lists as JSON or as a form."""
    try:
        if kind == "application/json":
            listed = json.loads(text)["paths"]
        else:
            listed = parse_qs(text.decode(), max_num_fields=_MOST_PATHS).get("paths", [])
    except (ValueError, TypeError, LookupError, RecursionError):
        raise MalformedRecipe('send {"paths": [...]}') from None
    listed = [listed] if isinstance(listed, str) else listed
    if not isinstance(listed, list) or not all(isinstance(path, str) for path in listed):
        raise MalformedRecipe('send {"paths": [...]}, each a string')
    return listed


def _sibling(file: File) -> dict[str, Any]:
    return {"rfilename": file.name, "size": file.nbytes, "blobId": _oid(file)}


def _oid(file: File) -> str:
    """Return the entity tag without its quotes, which clients use as the name in their caches."""
    return file.etag.strip('"')
