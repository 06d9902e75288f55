"""Liveness, readiness, version and what this server can do; never behind a body or a thread."""

from typing import Any

from fastapi import APIRouter, Request

import service
from service.limits import Limits
from service.numerics.cast import DTYPES
from service.schemes import SCHEMES
from service.settings import Settings

router = APIRouter(tags=["operations"])


@router.head("/livez", include_in_schema=False)
@router.get("/livez")
async def livez() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
async def readyz() -> dict[str, str]:
    """Say that the server takes work."""
    return {"status": "ok"}


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
async def info(request: Request) -> dict[str, Any]:
    """Return what this server can do, and its limits."""
    settings: Settings = request.app.state.settings
    return {
        "name": "tensorseed",
        "version": service.__version__,
        "generators": ["v1"],
        "dtypes": list(DTYPES),
        "schemes": list(SCHEMES),
        "kernel": request.app.state.pipeline.backend.name,
        "limits": {
            name: getattr(settings, name) for name in (*Limits.model_fields, "max_buffered_bytes")
        },
    }
