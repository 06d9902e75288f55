"""Liveness, readiness, version and what this server can do; never behind a body or a thread."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

import service
from service.catalogue.schemes import SCHEMES
from service.numerics.cast import DTYPES
from service.settings import Settings
from service.web.context import Context
from service.web.metrics import CONTENT_TYPE

router = APIRouter(tags=["operations"])
metrics_router = APIRouter(tags=["operations"])

_READY: dict[int | str, dict[str, Any]] = {
    200: {"description": "It takes work."},
    503: {"description": "It ends soon."},
}


@router.head("/livez", include_in_schema=False)
@router.get("/livez")
async def livez() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", response_class=Response, responses=_READY)
async def readyz(context: Context) -> Response:
    """Say whether the server takes work, or has been told to end.

    The registry has no part in it: weights and links need none, and a database that is away is away
    for every replica, so that none would be left.
    """
    if context.shared.drain.has_begun:
        return JSONResponse({"status": "draining"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse({"status": "ok"})


@router.head("/ping", include_in_schema=False)
@router.get("/ping", include_in_schema=False)
@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", include_in_schema=False)
@router.head("/health", include_in_schema=False)
@router.get("/health")
async def health() -> dict[str, str]:
    """Say what ``/livez`` says."""
    return {"status": "ok"}


@router.get("/version")
async def version() -> dict[str, str]:
    """Return the release that runs."""
    return {"version": service.__version__}


@router.get("/info")
async def info(context: Context) -> dict[str, Any]:
    """Return what this server can do, and its limits."""
    shared = context.shared
    return {
        "name": "tensorseed",
        "version": service.__version__,
        "generators": ["v1"],
        "dtypes": list(DTYPES),
        "schemes": list(SCHEMES),
        "backend": shared.backend,
        "kernel": shared.kernel,
        "limits": {
            name: getattr(shared.settings, name)
            for name in Settings.model_fields
            if name.startswith("max_")
        },
    }


@metrics_router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "In Prometheus's text format.", "content": {"text/plain": {}}}},
)
async def metrics(context: Context) -> Response:
    """Return what is counted, for Prometheus."""
    context.shared.observe()
    return Response(context.shared.metrics.text(), media_type=CONTENT_TYPE)
