"""``/``: a page to write, analyse and fetch a recipe, served without any other origin."""

import hashlib
from functools import lru_cache
from http import HTTPStatus
from importlib import resources

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from service.errors import truncate
from service.web.response.conditions import select
from service.web.response.files import REVALIDATED

router = APIRouter(include_in_schema=False)

PAGE = "index.html"

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}

_HEADERS = {
    "Cache-Control": REVALIDATED,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@router.head("/")
@router.get("/")
async def page(request: Request) -> Response:
    """Return the page."""
    return _answer(request, PAGE)


@router.head("/static/{name}")
@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """Return a file of the page.

    Raises:
        HTTPException: 404: the page has no such file.
    """
    if name not in files():
        raise HTTPException(HTTPStatus.NOT_FOUND, f"the page has no file {truncate(name)}")
    return _answer(request, name)


@lru_cache(maxsize=1)
def files() -> dict[str, bytes]:
    """Return the files of the page by name. They are few and small, so they are read once."""
    folder = resources.files("service.web") / "static"
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _answer(request: Request, name: str) -> Response:
    text = files()[name]
    etag = f'"{hashlib.sha256(text).hexdigest()}"'
    headers = {**_HEADERS, "ETag": etag, "Content-Type": _TYPES[name.rpartition(".")[2]]}
    asked = {key: value for key, value in request.headers.items() if key == "if-none-match"}
    if select(request.method, asked, etag, len(text)).status == HTTPStatus.NOT_MODIFIED:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(text, headers=headers)
