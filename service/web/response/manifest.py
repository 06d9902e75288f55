"""``manifest.json`` as a response: the digests of files, or how far they are."""

import json
from collections.abc import Sequence
from http import HTTPStatus

from anyio import to_thread
from fastapi import HTTPException
from starlette.responses import Response

from service.checkpoint.files import TextFile, WeightFile
from service.checkpoint.manifest import manifest
from service.web.context import RequestContext
from service.web.response.files import IMMUTABLE, file_response
from service.web.shared.manifests import Abandoned, Progress, QueueFull

MANIFEST = "manifest.json"


async def manifest_response(
    context: RequestContext, files: Sequence[WeightFile], *, is_stored: bool
) -> Response:
    """Return the manifest of files, or the progress of their digests. HEAD computes nothing.

    Args:
        context: The request's.
        files: Files of weights.
        is_stored: Whether the registry keeps their digests.

    Raises:
        HTTPException: 429: too many manifests are being computed; 503: the server shuts down.
    """
    manifests = context.shared.manifests
    found = await manifests.known(files, is_stored=is_stored)
    if missing := [file for file in files if file.etag not in found]:
        if context.request.method == "HEAD":
            return _progress(Progress(0, sum(file.nbytes for file in missing)))
        try:
            computed = await manifests.compute(missing, is_stored=is_stored)
        except QueueFull as error:
            headers = {"Retry-After": "30"}
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, str(error), headers) from None
        except Abandoned:
            detail = "the server shuts down: ask again, or ask another"
            headers = {"Retry-After": "2"}
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers) from None
        if isinstance(computed, Progress):
            return _progress(computed)
        found |= computed
    listed = [(file, found[file.etag]) for file in files]
    text = await to_thread.run_sync(manifest, listed)
    return file_response(context, TextFile(MANIFEST, text), cache=IMMUTABLE)


def _progress(progress: Progress) -> Response:
    body = json.dumps({"status": "computing", "done": progress.done, "total": progress.total})
    headers = {"Retry-After": "2", "Cache-Control": "no-store"}
    return Response(body, HTTPStatus.ACCEPTED, headers, "application/json")
