"""``POST /v1/analysis`` and ``POST /v1/calibrate``: what a recipe does to signals, and LSUV."""

import json
from collections.abc import Callable
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from service.analysis import analyse, batch_of, calibrate
from service.analysis.question import Calibration, Question
from service.container.donor import donor_of
from service.settings import Settings
from service.stream.pipeline import Pipeline
from service.web.middleware.access_log import visit_of
from service.web.openapi import body_of, problems, with_form
from service.web.request.body import form_of, json_of, media_type_of
from service.web.request.multipart import BATCH_FORM
from service.web.request.multipart import MEDIA_TYPE as MULTIPART
from service.web.shared.quota import Quota

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
async def analysis(request: Request) -> Response:
    """Tell what a recipe's layers do to signals and gradients, and which init suits them."""
    return await _answered(request, await json_of(request), analyse)


@router.post(
    "/calibrate", response_class=Response, responses=_CALIBRATED, openapi_extra=_CALIBRATION
)
async def calibration(request: Request) -> Response:
    """Find LSUV's gain for each layer, on a seeded Gaussian batch or one that is sent."""
    if media_type_of(request) != MULTIPART:
        return await _answered(request, await json_of(request), calibrate)
    text, file = await form_of(request, BATCH_FORM)

    def on_batch(text: bytes, settings: Settings, pipeline: Pipeline) -> dict[str, Any]:
        given = batch_of(donor_of(file, settings), settings)
        return calibrate(text, settings, pipeline, given)

    return await _answered(request, text, on_batch)


async def _answered(
    request: Request, text: bytes, work: Callable[[bytes, Settings, Pipeline], dict[str, Any]]
) -> Response:
    """Answer in a thread, once there is a place for it.

    Raises:
        Busy: There was none in the time that a request may wait.
    """
    settings: Settings = request.app.state.settings
    places: Quota = request.app.state.analyses
    owner = visit_of(request.scope).owner
    await places.wait(owner, settings.queue_timeout)
    try:
        pipeline = request.app.state.pipeline
        found = await to_thread.run_sync(work, text, settings, pipeline)
    finally:
        places.give(owner)
    return Response(json.dumps(found, ensure_ascii=False), media_type="application/json")
