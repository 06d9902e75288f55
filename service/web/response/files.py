"""Files as responses: in whole or in part, or only that they have not changed."""

import base64
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import HTTPException
from starlette.responses import Response

from service.checkpoint.files import WEIGHTS, File, TextFile, WeightFile
from service.plan import Plan
from service.web.context import RequestContext
from service.web.response.conditions import select
from service.web.response.weights import WeightsResponse

IMMUTABLE = "public, max-age=31536000, immutable, no-transform"
"""Cache-Control of a URL whose content never changes."""

REVALIDATED = "no-cache"
"""Cache-Control of a URL whose content may change."""


def weights_response(context: RequestContext, plan: Plan) -> WeightsResponse:
    """Return all of a planned file, its first bytes computed by the calling thread."""
    shared = context.shared
    headers = {"Content-Length": str(plan.nbytes), "X-Tensorseed-Backend": shared.backend}
    headers |= _described(WeightFile(WEIGHTS, plan))
    head = shared.pipeline.head(plan)
    return WeightsResponse(context, plan, (0, plan.nbytes), headers, head)


def file_response(
    context: RequestContext,
    file: File,
    *,
    cache: str,
    sha256: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return what a GET or HEAD request asks for of a file. HEAD computes nothing.

    Args:
        context: The request's; its method and conditional headers decide.
        file: The file of its URL.
        cache: Cache-Control: `IMMUTABLE` or `REVALIDATED`.
        sha256: The digest of weights in hexadecimal, if it is known.
        headers: Further response headers.

    Raises:
        HTTPException: 412 or 416: the conditions fail, or the range is not in the file.
    """
    request = context.request
    status, start, stop = select(request.method, request.headers, file.etag, file.nbytes)
    if context.shared.keys:
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
    known["X-Tensorseed-Backend"] = context.shared.backend
    if request.method == "HEAD":
        return Response(status_code=status, headers=known)
    response = WeightsResponse(context, file.plan, (start, stop), known)
    response.status_code = status
    return response


def _raise_if_refused(status: HTTPStatus, file: File, headers: dict[str, str]) -> None:
    if status == HTTPStatus.PRECONDITION_FAILED:
        raise HTTPException(status, f"{file.name} is {file.etag} now", headers)
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        detail = f"{file.name} has {file.nbytes} bytes, counted from 0"
        raise HTTPException(status, detail, headers | {"Content-Range": f"bytes */{file.nbytes}"})


def _described(file: File) -> dict[str, str]:
    """Return the headers that describe a file."""
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
