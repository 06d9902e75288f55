"""The service with its peers beside it on one server: a constant buffer, and a bare JSON echo."""

import argparse
import os
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.stream import pipeline
from service.web.app import create_app

_BUFFER = bytes(1 << 20)


class ConstantResponse(Response):
    """So many bytes of one buffer, sent again and again: what this server can do at best.

    Args:
        nbytes: Bytes of the body; whole buffers.
    """

    def __init__(self, nbytes: int) -> None:
        super().__init__(media_type="application/octet-stream")
        self._nbytes = nbytes
        self.headers["Content-Length"] = str(nbytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        for _ in range(self._nbytes // len(_BUFFER)):
            await send({"type": "http.response.body", "body": _BUFFER, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def constant(nbytes: int) -> Response:
    """Answer so many bytes."""
    return ConstantResponse(nbytes)


async def echo(body: dict[str, Any]) -> dict[str, Any]:
    """Answer the JSON that was sent."""
    return body


def create() -> ASGIApp:
    """Return the service's application beside that of its peers, which is nothing but FastAPI."""
    # Set by the plot of chunk sizes alone.
    pipeline.MAX_CHUNK_BYTES = int(os.environ.get("BENCH_CHUNK", pipeline.MAX_CHUNK_BYTES))
    app = create_app()
    peer = FastAPI()
    peer.add_api_route("/constant/{nbytes}", constant, response_class=Response)
    peer.add_api_route("/echo/", echo, methods=["POST"])

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        is_peers = scope.get("path", "").startswith(("/constant/", "/echo/"))
        await (peer if is_peers else app)(scope, receive, send)

    return both


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(create, factory=True, port=parser.parse_args().port, server_header=False)
