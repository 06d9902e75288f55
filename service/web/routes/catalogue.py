"""``GET /v1/schemes``, ``/v1/layers`` and ``/v1/models``: what recipes can use."""

from typing import Any

from fastapi import APIRouter

from service.catalogue import listing
from service.catalogue.schemes import FRAMEWORKS
from service.catalogue.schemes.frameworks import FrameworkName
from service.web.openapi import problems

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/schemes", responses=problems(422))
async def list_schemes(framework: FrameworkName | None = None) -> dict[str, Any]:
    """List the schemes for ``init``, or the names that a framework has for them."""
    if framework is not None:
        return listing.framework(framework)
    return {
        "schemes": listing.schemes(),
        "model_schemes": listing.model_schemes(),
        "frameworks": {name: found.names for name, found in FRAMEWORKS.items()},
    }


@router.get("/layers")
async def list_layers() -> dict[str, Any]:
    """List the layer types, with their tensors in every convention."""
    return {"layers": listing.layers()}


@router.get("/models")
async def list_models() -> dict[str, Any]:
    """List the model families, with the fields read from a config.json, and the presets."""
    return {"models": listing.models()}
