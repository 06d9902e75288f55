"""The body of a request, read under a limit and a timeout."""

import asyncio
from http import HTTPStatus

from fastapi import HTTPException, Request

from service.container.donor import DonorFile
from service.errors import RecipeTooLarge
from service.web.context import RequestContext
from service.web.request import form
from service.web.request.multipart import Fields

BYTES_PER_TENSOR = 80
"""Bytes of a recipe that may describe a tensor, at least."""


async def form_body(context: RequestContext, fields: Fields) -> tuple[bytes, DonorFile]:
    """Return the JSON text and the file of a form.

    Args:
        context: The request's, whose media type is a form's.
        fields: The names of the form's fields.

    Raises:
        HTTPException: 415 for an encoded body; and what `form.receive` raises.
        RecipeTooLarge: The text has more than ``max_body_bytes``.
        Busy: As many files are on disk as may be.
    """
    _check_encoding(context.request)
    return await form.receive(context, fields)


async def json_body(context: RequestContext) -> bytes:
    """Return the body of a request, which has to be JSON.

    Raises:
        HTTPException: 415 for another media type or an encoded body, 408 for one that stalls.
        RecipeTooLarge: Declared or sent, more than ``max_body_bytes``.
    """
    if media_type(context.request) != "application/json":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON with Content-Type: application/json"
        )
    return await raw_body(context)


async def raw_body(context: RequestContext) -> bytes:
    """Return the body of a request, of any media type.

    Raises:
        HTTPException: 415 for an encoded body, 408 for one that stalls.
        RecipeTooLarge: Declared or sent, more than ``max_body_bytes``.
    """
    settings = context.shared.settings
    _check_encoding(context.request)
    _check_length(context.request, settings.max_body_bytes)
    try:
        async with asyncio.timeout(settings.body_timeout):
            return await _read(context, settings.max_body_bytes)
    except TimeoutError:
        raise HTTPException(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the body did not arrive within {settings.body_timeout:g} s (body_timeout)",
            headers={"Connection": "close"},
        ) from None


def media_type(request: Request) -> str:
    """Return the media type that a request declares, in lower case, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_encoding(request: Request) -> None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body without a Content-Encoding"
        )


def _check_length(request: Request, limit: int) -> None:
    declared = request.headers.get("content-length", "")
    waits = "expect" in request.headers  # the client has sent nothing yet, and need not
    most = limit if waits else form.DISCARDED * limit
    if declared.isdecimal() and int(declared[:20]) > most:
        raise _too_large(f"{declared[:20]} bytes were announced", limit)


async def _read(context: RequestContext, limit: int) -> bytes:
    text, total = bytearray(), 0
    async for piece in context.request.stream():
        total += len(piece)
        if total <= limit:
            context.hold_tensors(total // BYTES_PER_TENSOR)
            text += piece
        elif total > form.DISCARDED * limit:
            break
    if total > limit:
        raise _too_large(f"more than {limit} bytes were sent", limit)
    return bytes(text)


def _too_large(what: str, limit: int) -> RecipeTooLarge:
    return RecipeTooLarge(f"{what}; the limit (max_body_bytes) is {limit}")
