"""``POST /v1/plan``: the recipe explained, nothing generated."""

import json
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from service.plan import Plan, explain
from service.recipe import Recipe
from service.web.context import Context
from service.web.openapi import DONOR_BODY, problems
from service.web.request import plan_body

router = APIRouter(prefix="/v1", tags=["weights"])

_BODY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What each tensor will be, and why; totals, identities and warnings.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    **problems(400, 408, 413, 415, 422, 429, 503),
}


@router.post("/plan", response_class=Response, responses=_BODY, openapi_extra=DONOR_BODY)
async def plan(context: Context) -> Response:
    """Explain a recipe: the scheme, law, fans, gain, moments and file offsets of every tensor."""
    return await plan_body(context, _explained, takes_donor=True)


def _explained(recipe: Recipe, plan: Plan) -> Response:
    body = json.dumps(explain(recipe, plan), ensure_ascii=False, allow_nan=False)
    headers = {"X-Tensorseed-Generator": plan.generator}
    return Response(body, headers=headers, media_type="application/json")
