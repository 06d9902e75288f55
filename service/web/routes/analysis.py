"""``POST /v1/analysis`` and ``POST /v1/calibrate``: signal propagation of a recipe, and LSUV."""

import json
from collections.abc import Callable
from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from starlette.responses import Response

from service.analysis import analyse, batch_of, calibrate
from service.analysis.question import Calibration, Question
from service.container.donor import donor_of
from service.settings import Settings
from service.stream.pipeline import Pipeline
from service.web.context import Context, RequestContext
from service.web.openapi import body_of, problems, with_form
from service.web.request import form_body, json_body, media_type
from service.web.request.multipart import BATCH_FORM
from service.web.request.multipart import MEDIA_TYPE as MULTIPART

router = APIRouter(prefix="/v1", tags=["analysis"])

_LAYERS = [
    {"name": f"fc{i}", "type": "linear", "in_features": 512, "out_features": 512} for i in (1, 2, 3)
]
_RECIPE = {"seed": 42, "init": "xavier_normal", "layers": _LAYERS}

_ANALYSED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Curves, a value for each layer, and a verdict for each of them.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    **problems(400, 408, 413, 415, 422, 429),
}
_CALIBRATED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The recipe with a gain for each layer, and how each was found.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    **problems(400, 408, 413, 415, 422, 429, 503),
}
_QUESTION = body_of(
    Question,
    {
        "Xavier for ReLU": {
            "summary": "Three layers under Xavier, with He beside it",
            "value": {"recipe": _RECIPE, "activation": "relu", "compare": ["kaiming_normal"]},
        }
    },
)
_TANH = {"summary": "LSUV for tanh", "value": {"recipe": _RECIPE, "activation": "tanh"}}
_CALIBRATION = with_form(body_of(Calibration, {"tanh": _TANH}), BATCH_FORM)


@router.post("/analysis", response_class=Response, responses=_ANALYSED, openapi_extra=_QUESTION)
async def analysis(context: Context) -> Response:
    """Analyse what a recipe's layers do to signals and gradients, and which init suits them."""
    return await _respond(context, await json_body(context), analyse)


@router.post(
    "/calibrate", response_class=Response, responses=_CALIBRATED, openapi_extra=_CALIBRATION
)
async def calibration(context: Context) -> Response:
    """Find LSUV's gain for each layer, on a seeded Gaussian batch or one that is sent."""
    if media_type(context.request) != MULTIPART:
        return await _respond(context, await json_body(context), calibrate)
    text, file = await form_body(context, BATCH_FORM)

    def on_batch(text: bytes, settings: Settings, pipeline: Pipeline) -> dict[str, Any]:
        batch = batch_of(donor_of(file, settings), settings)
        return calibrate(text, settings, pipeline, batch)

    return await _respond(context, text, on_batch)


async def _respond(
    context: RequestContext,
    text: bytes,
    work: Callable[[bytes, Settings, Pipeline], dict[str, Any]],
) -> Response:
    """Return the result of work done in a thread, once the quota of analyses allows it.

    Raises:
        Busy: It did not within ``queue_timeout``.
    """
    shared = context.shared
    async with shared.quotas.analyses.one(context.owner, shared.settings.queue_timeout):
        result = await to_thread.run_sync(work, text, shared.settings, shared.pipeline)
    return Response(json.dumps(result, ensure_ascii=False), media_type="application/json")
