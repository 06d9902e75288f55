"""``POST /v1/weights``: the recipe in, the safetensors file out."""

import asyncio
import logging
from http import HTTPStatus
from typing import Any

import anyio
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.pipeline import Pipeline
from service.plan import Plan
from service.web.openapi import RECIPE_BODY, problems
from service.web.recipes import planned

router = APIRouter(prefix="/v1", tags=["weights"])
_log = logging.getLogger("tensorseed")

_PATIENCE = 0.25
"""Seconds that a reader may take over a chunk before those computed ahead of it are given back."""


class PlanResponse(Response):
    """A planned file as a streamed body of known length.

    The first bytes are computed at once, where the plan was, and often they are all. Of the rest a
    few chunks are computed ahead of the transport, so memory stays constant; a reader that does
    not take them costs what the transport holds. It watches the connection itself, because the
    server accepts chunks for clients that have gone.

    Args:
        plan: The file.
        pipeline: What computes, shared by all bodies.
    """

    def __init__(self, plan: Plan, pipeline: Pipeline) -> None:
        super().__init__(
            media_type="application/octet-stream",
            headers={
                "Content-Length": str(plan.nbytes),
                "Content-Disposition": 'attachment; filename="model.safetensors"',
                "ETag": plan.etag,
                "X-Tensorseed-Generator": plan.generator,
            },
        )
        self._plan = plan
        self._pipeline = pipeline
        self._head = pipeline.head(plan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, and stop within a chunk when the client goes."""
        await send(
            {"type": "http.response.start", "status": HTTPStatus.OK, "headers": self.raw_headers}
        )
        done = len(self._head)
        more = done < self._plan.nbytes
        head, self._head = self._head, memoryview(b"")  # which a long body need not keep
        await send({"type": "http.response.body", "body": head, "more_body": more})
        del head
        if not more:
            return
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                _log.info("client left %s early", scope["path"])
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            await self._send_from(done, send)
            tasks.cancel_scope.cancel()

    async def _send_from(self, start: int, send: Send) -> None:
        later = asyncio.get_running_loop().call_later
        with self._pipeline.chunks(self._plan, (start, self._plan.nbytes)) as chunks:
            while future := chunks.take():
                chunk = await asyncio.wrap_future(future)
                patience = later(_PATIENCE, chunks.stall)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                patience.cancel()
                del chunk  # so that nothing but the transport keeps its buffer
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
    pipeline: Pipeline = request.app.state.pipeline
    return await planned(request, lambda _, plan: PlanResponse(plan, pipeline))
