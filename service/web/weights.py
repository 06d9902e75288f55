"""``POST /v1/weights``: the recipe in, the safetensors file out."""

import logging
from http import HTTPStatus
from typing import Any

import anyio
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.plan import Plan
from service.stream import stream
from service.web.openapi import RECIPE_BODY, problems
from service.web.recipes import compiled_from

router = APIRouter(prefix="/v1", tags=["weights"])
_log = logging.getLogger("tensorseed")


class PlanResponse(Response):
    """A planned file as a streamed body of known length.

    It is computed a chunk at a time, in a thread, when the transport has taken the one before: so
    memory stays constant and a slow reader costs nothing. It watches the connection itself,
    because the server accepts chunks for clients that have gone.

    Args:
        plan: The file.
        limiter: Shared by all bodies: as many threads generate at once, first come first served.
    """

    def __init__(self, plan: Plan, limiter: CapacityLimiter) -> None:
        super().__init__(media_type="application/octet-stream")
        self._plan = plan
        self._limiter = limiter
        self.headers["Content-Length"] = str(plan.nbytes)
        self.headers["Content-Disposition"] = 'attachment; filename="model.safetensors"'
        self.headers["ETag"] = plan.etag
        self.headers["X-Tensorseed-Generator"] = plan.generator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, and stop within a chunk when the client goes."""
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                _log.info("client left %s early", scope["path"])
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            await self._send(send)
            tasks.cancel_scope.cancel()

    async def _send(self, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": HTTPStatus.OK, "headers": self.raw_headers}
        )
        chunks = stream(self._plan)
        while chunk := await to_thread.run_sync(next, chunks, b"", limiter=self._limiter):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


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
    **problems(400, 408, 413, 415, 422),
}


@router.post("/weights", response_class=Response, responses=_BODY, openapi_extra=RECIPE_BODY)
async def weights(request: Request) -> Response:
    """Generate the weights of a recipe as one safetensors file."""
    compiled = await compiled_from(request)
    return PlanResponse(compiled.plan, request.app.state.generating)
