"""``manifest.json``: computed once, by a thread of its own, for as long as somebody asks for it."""

import asyncio
import contextlib
import json
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from anyio import to_thread
from fastapi import HTTPException, Request
from starlette.responses import Response

from service.checkpoint.files import File, TextFile, WeightFile
from service.checkpoint.manifest import Digests, digests, manifest
from service.errors import RegistryUnavailable
from service.stream.pipeline import Pipeline
from service.web.response.files import IMMUTABLE, answer
from service.web.shared.library import Library

MANIFEST = "manifest.json"

_WAIT = 10.0
"""Seconds that a request waits for the digests before it is told how far they are."""

_INTEREST = 60.0
"""Seconds after the last request for them at which digests are given up."""

_MOST_JOBS = 32
"""Manifests under way at once; they are computed one after another."""


class _Abandoned(Exception):
    """Nobody asked for it any more, or the server ends."""


class _Job:
    """The digests of some files, under way."""

    def __init__(self, files: Sequence[WeightFile]) -> None:
        self.files = files
        self.total = sum(file.nbytes for file in files)
        self.done = 0
        self.asked = time.monotonic()
        self.future: asyncio.Future[list[Digests]]

    def advance(self, size: int) -> None:
        """Count bytes.

        Raises:
            _Abandoned: Nobody waits for them.
        """
        self.done += size
        if time.monotonic() - self.asked > _INTEREST:
            raise _Abandoned

    def run(self, pipeline: Pipeline) -> list[Digests]:
        """Compute the digests, file by file."""
        return [digests(file.plan, pipeline, self.advance) for file in self.files]


class Manifests:
    """Digests that are known, and those under way.

    Args:
        pipeline: What computes.
        library: Whose registry keeps digests, so that other servers know them too.
        most: Tensors whose digests are kept here.
    """

    def __init__(self, pipeline: Pipeline, library: Library, most: int) -> None:
        self._pipeline = pipeline
        self._library = library
        self._most = most
        self._known: OrderedDict[str, Digests] = OrderedDict()
        self._jobs: dict[tuple[str, ...], _Job] = {}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="tensorseed-digests")

    def close(self) -> None:
        """Give up what is under way."""
        for job in self._jobs.values():
            job.asked = -_INTEREST
        self._worker.shutdown(wait=False, cancel_futures=True)

    def sha256(self, file: File) -> str | None:
        """Return the SHA-256 of a file of weights in hexadecimal, if it is known here."""
        found = self._known.get(file.etag)
        return found and found["sha256"]

    async def answer(
        self, request: Request, files: Sequence[WeightFile], *, is_kept: bool
    ) -> Response:
        """Return the manifest of files, or how far it is.

        Args:
            request: HEAD computes nothing.
            files: Those with weights.
            is_kept: Whether the registry is asked and told.

        Raises:
            HTTPException: 429: too many are under way; 503: the server ends.
        """
        found = await self._recalled(files, is_kept=is_kept)
        if missing := [file for file in files if file.etag not in found]:
            if request.method == "HEAD":
                return _progress(0, sum(file.nbytes for file in missing))
            job = self._job(missing, is_kept=is_kept)
            try:
                made = await asyncio.wait_for(asyncio.shield(job.future), _WAIT)
            except TimeoutError:
                return _progress(job.done, job.total)
            except _Abandoned:
                raise HTTPException(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "the server ends: ask another, or again",
                    headers={"Retry-After": "2"},
                ) from None
            found |= {file.etag: each for file, each in zip(missing, made, strict=True)}
        listed = [(file, found[file.etag]) for file in files]
        text = await to_thread.run_sync(manifest, listed)
        return answer(request, TextFile(MANIFEST, text), cache=IMMUTABLE)

    async def _recalled(self, files: Sequence[WeightFile], *, is_kept: bool) -> dict[str, Digests]:
        found: dict[str, Digests] = {}
        for file in files:
            known = self._known.get(file.etag)
            if known is None and is_kept:
                with contextlib.suppress(RegistryUnavailable):  # they can be computed again
                    text = await self._library.ask(self._library.registry.digest, file.etag)
                    known = json.loads(text) if text else None
            if known:
                found[file.etag] = known
                self._know(file, known)
        return found

    def _know(self, file: WeightFile, found: Digests) -> None:
        self._known[file.etag] = found
        self._known.move_to_end(file.etag)
        total = sum(len(known["tensors"]) for known in self._known.values())
        while total > self._most and len(self._known) > 1:
            total -= len(self._known.popitem(last=False)[1]["tensors"])

    def _job(self, files: Sequence[WeightFile], *, is_kept: bool) -> _Job:
        key = tuple(file.etag for file in files)
        job = self._jobs.get(key)
        if job is None:
            if len(self._jobs) >= _MOST_JOBS:
                raise HTTPException(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"{_MOST_JOBS} manifests are being computed: ask again later",
                    headers={"Retry-After": "30"},
                )
            job = self._jobs[key] = _Job(files)
            job.future = asyncio.ensure_future(self._made(job, is_kept=is_kept))
            job.future.add_done_callback(lambda done: self._settle(key, done))
        job.asked = time.monotonic()
        return job

    async def _made(self, job: _Job, *, is_kept: bool) -> list[Digests]:
        loop = asyncio.get_running_loop()
        made = await loop.run_in_executor(self._worker, job.run, self._pipeline)
        for file, each in zip(job.files, made, strict=True):
            self._know(file, each)
            if is_kept:
                with contextlib.suppress(RegistryUnavailable):
                    registry = self._library.registry
                    await self._library.ask(registry.keep_digest, file.etag, json.dumps(each))
        return made

    def _settle(self, key: tuple[str, ...], done: asyncio.Future[list[Digests]]) -> None:
        del self._jobs[key]
        if not done.cancelled():
            done.exception()  # looked at, for there may be nobody else to do so


def _progress(done: int, total: int) -> Response:
    body = json.dumps({"status": "computing", "done": done, "total": total})
    headers = {"Retry-After": "2", "Cache-Control": "no-store"}
    return Response(body, HTTPStatus.ACCEPTED, headers, "application/json")
