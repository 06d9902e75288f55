"""``GET /v1/schemes``: every scheme with its parameters, formula, source and other names."""

from typing import Any

from fastapi import APIRouter

from service.catalogue import schemes

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/schemes")
async def list_schemes() -> dict[str, list[dict[str, Any]]]:
    """List the schemes that ``init`` may name."""
    return {"schemes": schemes()}
