"""The digests of files: computed once, in a thread of their own, while somebody asks for them."""

import asyncio
import contextlib
import json
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from service.checkpoint.files import File, WeightFile
from service.checkpoint.manifest import Digests, digests
from service.errors import RegistryUnavailable
from service.stream.pipeline import Pipeline
from service.web.shared.registry import AsyncRegistry

_TIMEOUT = 10.0
"""Seconds that a request waits for digests before it gets their progress instead."""

_ABANDONED_AFTER = 60.0
"""Seconds after the last request for them at which digests are abandoned."""

_MAX_JOBS = 32
"""Jobs in the queue; they are computed one after another."""


class Abandoned(Exception):
    """Nobody asks for the digests any more, or the server is shutting down."""


class QueueFull(Exception):
    """As many manifests are being computed as may be."""


class Progress(NamedTuple):
    """How far digests are, in bytes of the files.

    Args:
        done: Bytes that are hashed.
        total: Bytes of all files.
    """

    done: int
    total: int


class _Job:
    """The digests of some files, being computed."""

    def __init__(self, files: Sequence[WeightFile]) -> None:
        self.files = files
        self.total = sum(file.nbytes for file in files)
        self.done = 0
        self.last_request = time.monotonic()
        self.future: asyncio.Future[list[Digests]]

    def advance(self, size: int) -> None:
        """Count hashed bytes.

        Raises:
            Abandoned: Nobody waits for them.
        """
        self.done += size
        if time.monotonic() - self.last_request > _ABANDONED_AFTER:
            raise Abandoned

    def run(self, pipeline: Pipeline) -> list[Digests]:
        """Compute the digests, file by file."""
        return [digests(file.plan, pipeline, self.advance) for file in self.files]


class Manifests:
    """Known digests, and those that are being computed.

    Args:
        pipeline: Computes the files.
        registry: Keeps digests, so that other servers know them too.
        max_tensors: Tensors whose digests are cached here.
    """

    def __init__(self, pipeline: Pipeline, registry: AsyncRegistry, max_tensors: int) -> None:
        self._pipeline = pipeline
        self._registry = registry
        self._max_tensors = max_tensors
        self._known: OrderedDict[str, Digests] = OrderedDict()
        self._jobs: dict[tuple[str, ...], _Job] = {}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="tensorseed-digests")

    def close(self) -> None:
        """Abandon what is being computed."""
        for job in self._jobs.values():
            job.last_request = -_ABANDONED_AFTER
        self._worker.shutdown(wait=False, cancel_futures=True)

    def sha256(self, file: File) -> str | None:
        """Return the SHA-256 of a file of weights in hexadecimal; None if it is not known here."""
        known = self._known.get(file.etag)
        return known and known["sha256"]

    async def known(self, files: Sequence[WeightFile], *, is_stored: bool) -> dict[str, Digests]:
        """Return the digests that are known, by entity tag.

        Args:
            files: Files of weights.
            is_stored: Whether the registry may have them.
        """
        found: dict[str, Digests] = {}
        for file in files:
            known = self._known.get(file.etag)
            if known is None and is_stored:
                with contextlib.suppress(RegistryUnavailable):  # they can be computed again
                    stored = self._registry.blocking.digest
                    text = await self._registry.call(stored, file.etag)
                    known = json.loads(text) if text else None
            if known:
                found[file.etag] = known
                self._remember(file, known)
        return found

    async def compute(
        self, files: Sequence[WeightFile], *, is_stored: bool
    ) -> dict[str, Digests] | Progress:
        """Return the digests of files by entity tag, or the progress if they take long.

        Args:
            files: Files of weights whose digests are not known.
            is_stored: Whether the registry keeps the digests.

        Raises:
            QueueFull: Too many are in the queue.
            Abandoned: The server is shutting down.
        """
        job = self._job(files, is_stored=is_stored)
        try:
            computed = await asyncio.wait_for(asyncio.shield(job.future), _TIMEOUT)
        except TimeoutError:
            return Progress(job.done, job.total)
        return {file.etag: each for file, each in zip(files, computed, strict=True)}

    def _remember(self, file: WeightFile, known: Digests) -> None:
        self._known[file.etag] = known
        self._known.move_to_end(file.etag)
        total = sum(len(known["tensors"]) for known in self._known.values())
        while total > self._max_tensors and len(self._known) > 1:
            total -= len(self._known.popitem(last=False)[1]["tensors"])

    def _job(self, files: Sequence[WeightFile], *, is_stored: bool) -> _Job:
        key = tuple(file.etag for file in files)
        job = self._jobs.get(key)
        if job is None:
            if len(self._jobs) >= _MAX_JOBS:
                raise QueueFull(f"{_MAX_JOBS} manifests are being computed: ask again later")
            job = self._jobs[key] = _Job(files)
            job.future = asyncio.ensure_future(self._run(job, is_stored=is_stored))
            job.future.add_done_callback(lambda done: self._finish(key, done))
        job.last_request = time.monotonic()
        return job

    async def _run(self, job: _Job, *, is_stored: bool) -> list[Digests]:
        loop = asyncio.get_running_loop()
        computed = await loop.run_in_executor(self._worker, job.run, self._pipeline)
        for file, each in zip(job.files, computed, strict=True):
            self._remember(file, each)
            if is_stored:
                with contextlib.suppress(RegistryUnavailable):
                    keep = self._registry.blocking.keep_digest
                    await self._registry.call(keep, file.etag, json.dumps(each))
        return computed

    def _finish(self, key: tuple[str, ...], done: asyncio.Future[list[Digests]]) -> None:
        del self._jobs[key]
        if not done.cancelled():
            done.exception()  # retrieved, because nobody may be waiting for it
