"""From a request to a plan: the body read under a cap, parsed and compiled off the event loop."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from fastapi import HTTPException, Request

from service.container.donor import DonorFile, donor_of
from service.errors import RecipeTooLarge
from service.plan import Plan, compile, grow
from service.recipe import Recipe, parse
from service.settings import Settings
from service.web.middleware.access_log import visit_of
from service.web.request import upload as form
from service.web.request.multipart import DONOR_FORM, MEDIA_TYPE, Names
from service.web.response.bodies import Bodies
from service.web.shared.planning import Planning

_TINY = 2_000
"""Bytes of a recipe whose plan, if it `_is_quick`, takes about as long as changing threads."""

_QUICK = {"zeros", "ones", "constant", "uniform", "normal", "xavier", "kaiming", "lecun"}

_SHORTEST = 80
"""Bytes of a recipe that may describe a tensor."""


Made = TypeVar("Made")


async def planned(
    request: Request, make: Callable[[Recipe, Plan], Made], *, takes_donor: bool = False
) -> Made:
    """Return what is made of the recipe in a request's body.

    Args:
        request: Its body is read here.
        make: From the recipe and its plan, in the same thread that compiles it.
        takes_donor: Whether the body may be a form with a donor, from which the plan is grown.

    Raises:
        HTTPException: 415 for another media type or an encoded body, 408 for one that stalls; and
            what `form.received` raises.
        RecipeTooLarge: Declared or sent, more than ``max_body_bytes``.
        Busy: As many tensors, or donors, are under way as may be at once.
        MalformedRecipe: Not strict JSON.
        InvalidRecipe: It cannot be carried out.
        UnreadableFile: The donor is not a safetensors file.
    """
    settings: Settings = request.app.state.settings
    bodies: Bodies = request.app.state.bodies
    visit, donor = visit_of(request.scope), None
    if takes_donor and media_type_of(request) == MEDIA_TYPE:
        text, donor = await form_of(request, DONOR_FORM)
        bodies.hold_tensors(visit, len(text) // _SHORTEST)
    else:
        text = await json_of(request)

    def work() -> tuple[Made, int]:
        recipe = parse(text, settings)
        plan = compile(recipe, settings)
        if donor:
            plan = grow(plan, donor_of(donor, settings))
        return make(recipe, plan), len(plan.tensors)

    if donor is None and len(text) <= _TINY and _is_quick(recipe := parse(text, settings)):
        return make(recipe, compile(recipe, settings))
    planning: Planning = request.app.state.planning
    made, tensors = await planning.run(text, work)
    bodies.hold_tensors(visit, tensors)
    return made


async def form_of(request: Request, names: Names) -> tuple[bytes, DonorFile]:
    """Return the text and the file of a request, which says that it is a form.

    Raises:
        HTTPException: 415 for an encoded body; and what `form.received` raises.
        RecipeTooLarge: The text has more than ``max_body_bytes``.
        Busy: As many files are there as may be at once.
    """
    _check_encoding(request)
    return await form.received(request, names)


async def json_of(request: Request) -> bytes:
    """Return the body of a request, which says that it is JSON.

    Raises:
        HTTPException: 415 for another media type or an encoded body, 408 for one that stalls.
        RecipeTooLarge: Declared or sent, more than ``max_body_bytes``.
    """
    if media_type_of(request) != "application/json":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON with Content-Type: application/json"
        )
    return await received(request)


async def received(request: Request) -> bytes:
    """Return the body of a request, of any media type.

    Raises:
        HTTPException: 415 for an encoded body, 408 for one that stalls.
        RecipeTooLarge: Declared or sent, more than ``max_body_bytes``.
    """
    settings: Settings = request.app.state.settings
    _check_encoding(request)
    _check_length(request, settings)
    try:
        async with asyncio.timeout(settings.body_timeout):
            return await _read(request, settings.max_body_bytes)
    except TimeoutError:
        raise HTTPException(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the body did not arrive within {settings.body_timeout:g} s (body_timeout)",
            headers={"Connection": "close"},
        ) from None


def _is_quick(recipe: Recipe) -> bool:
    """Return whether a tiny recipe has nothing whose plan or first bytes could take long."""
    if recipe.layers or recipe.model is not None:
        return False
    schemes = [recipe.init, *(t.init for t in recipe.tensors), *(r.init for r in recipe.rules)]
    return all(scheme is None or scheme.scheme in _QUICK for scheme in schemes) and not any(
        tensor.parts or tensor.slice or tensor.draw for tensor in recipe.tensors
    )


def media_type_of(request: Request) -> str:
    """Return what a request says that its body is, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_encoding(request: Request) -> None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body without a Content-Encoding"
        )


def _check_length(request: Request, settings: Settings) -> None:
    declared = request.headers.get("content-length", "")
    waits = "expect" in request.headers  # has sent nothing yet, and need not
    most = settings.max_body_bytes if waits else form.DISCARDED * settings.max_body_bytes
    if declared.isdecimal() and int(declared[:20]) > most:
        raise _too_large(f"{declared[:20]} bytes were announced", settings.max_body_bytes)


async def _read(request: Request, limit: int) -> bytes:
    bodies: Bodies = request.app.state.bodies
    visit = visit_of(request.scope)
    text, total = bytearray(), 0
    async for piece in request.stream():
        total += len(piece)
        if total <= limit:
            bodies.hold_tensors(visit, total // _SHORTEST)
            text += piece
        elif total > form.DISCARDED * limit:
            break
    if total > limit:
        raise _too_large(f"more than {limit} bytes were sent", limit)
    return bytes(text)


def _too_large(what: str, limit: int) -> RecipeTooLarge:
    return RecipeTooLarge(f"{what}; the limit (max_body_bytes) is {limit}")
