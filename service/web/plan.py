"""``POST /v1/plan``: the recipe explained, nothing generated."""

import json
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from service.plan import explain
from service.web.openapi import RECIPE_BODY, problems
from service.web.recipes import Compiled, compiled_from, limiter_for

router = APIRouter(prefix="/v1", tags=["weights"])

_BODY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What each tensor will be, and why; totals, identities and warnings.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    **problems(400, 408, 413, 415, 422),
}


@router.post("/plan", response_class=Response, responses=_BODY, openapi_extra=RECIPE_BODY)
async def plan(request: Request) -> Response:
    """Explain a recipe: per tensor the scheme, law, fans, gain, moments and place in the file."""
    compiled = await compiled_from(request)
    body = await to_thread.run_sync(
        _explained, compiled, limiter=limiter_for(request, len(compiled.plan.header))
    )
    headers = {"X-Tensorseed-Generator": compiled.plan.generator}
    return Response(body, headers=headers, media_type="application/json")


def _explained(compiled: Compiled) -> bytes:
    explained = explain(compiled.recipe, compiled.plan)
    return json.dumps(explained, ensure_ascii=False, allow_nan=False).encode()
