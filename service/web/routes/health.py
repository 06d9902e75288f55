"""Liveness, readiness, version and capabilities; none of them waits for a body or a thread."""

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
    200: {"description": "The server accepts work."},
    503: {"description": "The server is shutting down."},
}


@router.head("/livez", include_in_schema=False)
@router.get("/livez")
async def livez() -> dict[str, str]:
    """Report that the process responds."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", response_class=Response, responses=_READY)
async def readyz(context: Context) -> Response:
    """Report whether the server accepts work or is shutting down.

    The registry does not count: weights and links need none, and a database that does not answer
    would take every replica out of service at once.
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
    """Report the same as ``/livez``."""
    return {"status": "ok"}


@router.get("/version")
async def version() -> dict[str, str]:
    """Return the version of the server."""
    return {"version": service.__version__}


@router.get("/info")
async def info(context: Context) -> dict[str, Any]:
    """Return the capabilities of this server, and its limits."""
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
    """Return the metrics for Prometheus."""
    context.shared.observe()
    return Response(context.shared.metrics.text(), media_type=CONTENT_TYPE)
