"""``POST /v1/weights``: the recipe in, the safetensors file out."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from service.checkpoint.files import Part
from service.plan import Plan
from service.recipe import Recipe
from service.web.context import Context
from service.web.openapi import DONOR_BODY, problems
from service.web.request import plan_body
from service.web.response.files import weights_response

router = APIRouter(prefix="/v1", tags=["weights"])
_BODY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The safetensors file.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "headers": {
            "ETag": {
                "description": "The same tag is the same bytes, always.",
                "schema": {"type": "string"},
            },
            "X-Tensorseed-Generator": {
                "description": "The bit contract.",
                "schema": {"type": "string"},
            },
        },
    },
    **problems(400, 408, 413, 415, 422, 429, 503),
}


@router.post("/weights", response_class=Response, responses=_BODY, openapi_extra=DONOR_BODY)
async def weights(context: Context, part: Annotated[Part, Query()]) -> Response:
    """Generate the weights of a recipe, or of a part of it, as one safetensors file."""

    def respond(_: Recipe, plan: Plan) -> Response:
        return weights_response(context, part.of(plan, context.shared.settings))

    return await plan_body(context, respond, takes_donor=True)
