"""From a request to a plan: the body read under a cap, parsed and compiled off the event loop."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import HTTPException, Request

from service.errors import RecipeTooLarge
from service.plan import Plan, compile
from service.recipe import Recipe, parse
from service.settings import Settings

_TINY = 2_000
"""Bytes of a recipe whose plan, if it `_is_quick`, takes about as long as changing threads."""

_QUICK = {"zeros", "ones", "constant", "uniform", "normal", "xavier", "kaiming", "lecun"}

_SMALL = 1 << 16
"""Bytes of a recipe whose plan needs little time and memory."""

_DISCARDED = 4
"""Times the limit that are read and dropped: most clients read no answer until they have sent."""


Made = TypeVar("Made")


async def planned(request: Request, make: Callable[[Recipe, Plan], Made]) -> Made:
    """Return what is made of the recipe in a request's body.

    Args:
        request: Its body is read here.
        make: From the recipe and its plan, in the same thread that compiles it.

    Raises:
        HTTPException: 415 for another media type or an encoded body, 408 for one that stalls.
        RecipeTooLarge: Declared or sent, more than ``max_body_bytes``.
        MalformedRecipe: Not strict JSON.
        InvalidRecipe: It cannot be carried out.
    """
    settings: Settings = request.app.state.settings
    _check_headers(request, settings)
    try:
        async with asyncio.timeout(settings.body_timeout):
            text = await _read(request, settings.max_body_bytes)
    except TimeoutError:
        raise HTTPException(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the recipe did not arrive within {settings.body_timeout:g} s (body_timeout)",
            headers={"Connection": "close"},
        ) from None

    def work() -> Made:
        recipe = parse(text, settings)
        return make(recipe, compile(recipe, settings))

    if len(text) <= _TINY and _is_quick(recipe := parse(text, settings)):
        return make(recipe, compile(recipe, settings))
    state = request.app.state
    limiter: CapacityLimiter = state.planning_small if len(text) <= _SMALL else state.planning_large
    return await to_thread.run_sync(work, limiter=limiter)


def _is_quick(recipe: Recipe) -> bool:
    """Return whether a tiny recipe has nothing whose plan or first bytes could take long."""
    if recipe.layers or recipe.model is not None:
        return False
    schemes = [recipe.init, *(t.init for t in recipe.tensors), *(r.init for r in recipe.rules)]
    return all(scheme is None or scheme.scheme in _QUICK for scheme in schemes) and not any(
        tensor.parts or tensor.slice or tensor.draw for tensor in recipe.tensors
    )


def _check_headers(request: Request, settings: Settings) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the recipe with Content-Type: application/json"
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the recipe without a Content-Encoding"
        )
    declared = request.headers.get("content-length", "")
    waits = "expect" in request.headers  # has sent nothing yet, and need not
    most = settings.max_body_bytes if waits else _DISCARDED * settings.max_body_bytes
    if declared.isdecimal() and int(declared[:20]) > most:
        raise _too_large(f"{declared[:20]} bytes were announced", settings.max_body_bytes)


async def _read(request: Request, limit: int) -> bytes:
    text, total = bytearray(), 0
    async for piece in request.stream():
        total += len(piece)
        if total <= limit:
            text += piece
        elif total > _DISCARDED * limit:
            break
    if total > limit:
        raise _too_large(f"more than {limit} bytes were sent", limit)
    return bytes(text)


def _too_large(what: str, limit: int) -> RecipeTooLarge:
    return RecipeTooLarge(f"{what}; the limit (max_body_bytes) is {limit}")
