"""Files as answers: in whole or in part, or only that they have not changed."""

import base64
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException, Request
from starlette.responses import Response

from service.checkpoint.files import WEIGHTS, File, TextFile, WeightFile
from service.plan import Plan
from service.web.openapi import problems
from service.web.response.bodies import Bodies, PlanResponse
from service.web.response.conditions import select

IMMUTABLE = "public, max-age=31536000, immutable, no-transform"
"""How long an answer may be kept whose URL never means anything else."""

REVALIDATED = "no-cache"
"""How long one may be kept without asking whose URL may mean something else tomorrow."""


def whole(plan: Plan, bodies: Bodies) -> PlanResponse:
    """Return the answer to a recipe: all of its file, the first bytes computed by this thread."""
    headers = {"Content-Length": str(plan.nbytes), "X-Tensorseed-Backend": bodies.kind}
    headers |= _described(WeightFile(WEIGHTS, plan))
    head = bodies.pipeline.head(plan)
    return PlanResponse(plan, bodies, (0, plan.nbytes), headers, head)


def answer(
    request: Request,
    file: File,
    *,
    cache: str,
    sha256: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return what a GET or HEAD request asks of a file. HEAD generates nothing.

    Args:
        request: Its method and conditions count.
        file: What its URL means.
        cache: How long the answer may be kept: `IMMUTABLE` or `REVALIDATED`.
        sha256: Of weights, in hexadecimal, where it is known.
        headers: What else to send.

    Raises:
        HTTPException: 412 or 416: the conditions or the range rule all of it out.
    """
    status, start, stop = select(request.method, request.headers, file.etag, file.nbytes)
    if request.app.state.keys:
        cache = cache.replace("public", "private")
    known = {"ETag": file.etag, "Accept-Ranges": "bytes", "Cache-Control": cache, **(headers or {})}
    if isinstance(file, TextFile):
        sha256 = file.sha256
    if sha256:
        digest = base64.b64encode(bytes.fromhex(sha256)).decode()
        known["Repr-Digest"] = f"sha-256=:{digest}:"
    _raise_if_refused(status, file, known)
    if status == HTTPStatus.NOT_MODIFIED:
        return Response(status_code=status, headers=known)
    known |= _described(file) | {"Content-Length": str(stop - start)}
    if status == HTTPStatus.PARTIAL_CONTENT:
        known["Content-Range"] = f"bytes {start}-{stop - 1}/{file.nbytes}"
    if isinstance(file, TextFile):
        return Response(file.text[start:stop], status, known)
    known["X-Tensorseed-Backend"] = request.app.state.bodies.kind
    if request.method == "HEAD":
        return Response(status_code=status, headers=known)
    body = PlanResponse(file.plan, request.app.state.bodies, (start, stop), known)
    body.status_code = status
    return body


def _raise_if_refused(status: HTTPStatus, file: File, headers: dict[str, str]) -> None:
    if status == HTTPStatus.PRECONDITION_FAILED:
        raise HTTPException(status, f"{file.name} is {file.etag} now", headers)
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        detail = f"{file.name} has {file.nbytes} bytes, counted from 0"
        raise HTTPException(status, detail, headers | {"Content-Range": f"bytes */{file.nbytes}"})


def _described(file: File) -> dict[str, str]:
    if isinstance(file, TextFile):
        kind, special = "inline", {"Content-Type": "application/json"}
    else:
        kind, special = "attachment", {"X-Tensorseed-Generator": file.plan.generator}
        special |= {"Content-Type": "application/octet-stream"}
    return {
        "Content-Disposition": f'{kind}; filename="{file.name}"',
        "ETag": file.etag,
        **special,
    }


RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {}},
        },
        "headers": {
            "ETag": {
                "description": "The same tag is the same bytes, always.",
                "schema": {"type": "string"},
            },
            "Repr-Digest": {
                "description": "The file's SHA-256, once its manifest.json was asked for.",
                "schema": {"type": "string"},
            },
        },
    },
    206: {"description": "The range that was asked for."},
    304: {"description": "The client has it already."},
    **problems(404, 412, 416, 422, 429, 503),
}
"""What the routes of files answer, for the OpenAPI document."""
