"""Errors as RFC 9457 problem documents; the only place that maps an error to a status."""

import json
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route

from service.errors import (
    Busy,
    InvalidRecipe,
    MalformedRecipe,
    Problem,
    RecipeTooLarge,
    RegistryUnavailable,
    RevisionConflict,
    UnknownRecipe,
    UnreadableFile,
    UnreadableLink,
    truncate,
)
from service.web.context import context_of

MEDIA_TYPE = "application/problem+json"

_LARGEST = 16_000
_LONGEST_DETAIL = 600
_STATUSES: dict[type[Exception], tuple[HTTPStatus, str]] = {
    MalformedRecipe: (HTTPStatus.BAD_REQUEST, "malformed-recipe"),
    RecipeTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "recipe-too-large"),
    InvalidRecipe: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-recipe"),
    UnreadableFile: (HTTPStatus.UNPROCESSABLE_ENTITY, "unreadable-file"),
    UnreadableLink: (HTTPStatus.NOT_FOUND, "unreadable-link"),
    UnknownRecipe: (HTTPStatus.NOT_FOUND, "unknown-recipe"),
    RevisionConflict: (HTTPStatus.CONFLICT, "revision-conflict"),
    RegistryUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "registry-unavailable"),
    Busy: (HTTPStatus.TOO_MANY_REQUESTS, "busy"),
}
_HEADERS = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: {"Connection": "close"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "2"},
}
_TITLES = {
    "malformed-recipe": "The recipe is not strict JSON",
    "recipe-too-large": "The recipe's text is too long",
    "invalid-recipe": "The recipe cannot be carried out",
    "unreadable-file": "The donor is not a safetensors file",
    "unreadable-link": "The link does not hold a recipe",
    "unknown-recipe": "The recipe is not stored here",
    "revision-conflict": "Another writer made this revision",
    "busy": "The server is at a limit of concurrent work",
    "registry-unavailable": "The registry's database does not respond",
}

SCHEMA = {
    "description": "An RFC 9457 problem document.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "maxItems": 20,
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "format": "json-pointer"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
"""JSON Schema of a problem document."""


def problem(
    status: int,
    detail: str,
    *,
    kind: str = "",
    errors: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document of at most 16 KB.

    Args:
        status: HTTP status.
        detail: What is wrong, for people to read.
        kind: Last part of the problem's URN; empty is ``about:blank``.
        errors: The errors in the recipe; as many as fit, the first ones.
        headers: Further response headers.
    """
    document: dict[str, object] = {
        "type": f"urn:tensorseed:problem:{kind}" if kind else "about:blank",
        "title": _TITLES.get(kind, HTTPStatus(status).phrase),
        "status": status,
        "detail": detail[:_LONGEST_DETAIL],
    }
    listed = [
        {"pointer": e.pointer[:_LONGEST_DETAIL], "detail": e.detail[:_LONGEST_DETAIL]}
        for e in errors
    ]
    while True:
        body = json.dumps(document | ({"errors": listed} if listed else {})).encode()
        if len(body) <= _LARGEST or not listed:
            return Response(body, status, headers, MEDIA_TYPE)
        listed.pop()


async def _of_package(request: Request, error: Any) -> Response:
    status, kind = _STATUSES[type(error)]
    errors = error.problems if isinstance(error, InvalidRecipe) else ()
    detail = str(error)
    if isinstance(error, RegistryUnavailable):  # its message is for the operator
        logging.getLogger("tensorseed").warning("%s", error)
        context_of(request.scope).shared.metrics.registry_errors.inc()
        detail = "the database does not respond; weights and links do not need it; retry later"
    if isinstance(error, UnreadableFile):
        detail = f"the file of the form: {detail}"
    headers = _HEADERS.get(status)
    if isinstance(error, Busy):
        headers = {"Retry-After": str(error.after)}
    return problem(status, detail, kind=kind, errors=errors, headers=headers)


async def _of_http(request: Request, error: Any, routes: Sequence[Route]) -> Response:
    detail, headers = error.detail, error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(_methods(request, routes))}
    if detail == HTTPStatus(error.status_code).phrase:
        detail = f"{request.method} {truncate(request.url.path)}: {detail.lower()}"
    return problem(error.status_code, detail, headers=headers)


def _methods(request: Request, routes: Sequence[Route]) -> list[str]:
    """Return the methods of a path; the router itself knows only those of the first match."""
    scope = dict(request.scope)
    allowed = {
        method
        for route in routes
        if route.matches(scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return sorted(allowed)


async def _of_parameters(_: Request, error: Any) -> Response:
    detail = "; ".join(f"{entry['loc'][-1]}: {entry['msg']}" for entry in error.errors()[:20])
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)


async def _of_departed(_: Request, __: Exception) -> Response:
    return problem(HTTPStatus.BAD_REQUEST, "the client closed the connection while sending")


async def _of_defect(request: Request, error: Exception) -> Response:
    where = ascii(truncate(request.url.path))
    logging.getLogger("tensorseed").error("defect in %s", where, exc_info=error)
    headers = {"X-Request-Id": context_of(request.scope).id}
    detail = "a defect of the service; it was logged"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail, headers=headers)


def install(app: FastAPI, routes: Sequence[Route]) -> None:
    """Respond to every error of an application, the framework's included, with a problem document.

    Args:
        app: The application.
        routes: Its routes, for the methods that a path allows.
    """
    for error in _STATUSES:
        app.add_exception_handler(error, _of_package)
    app.add_exception_handler(HTTPException, partial(_of_http, routes=routes))
    app.add_exception_handler(RequestValidationError, _of_parameters)
    app.add_exception_handler(ClientDisconnect, _of_departed)
    app.add_exception_handler(Exception, _of_defect)
