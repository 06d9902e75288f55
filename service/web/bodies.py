"""Bodies of weights: streamed in constant memory, so many at once, each while it is read."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.backends import kind_of
from service.backends.cupy import CupyBackend
from service.metrics import Metrics
from service.pipeline import Pipeline
from service.plan import Plan
from service.server import EXTENSION
from service.settings import Settings
from service.web.admission import Quota
from service.web.visits import Visit, visit_of

_log = logging.getLogger("tensorseed")

_PATIENCE = 0.25
"""Seconds that a reader may take over a chunk before those computed ahead of it are given back."""

_FEW = 1_000
"""Tensors of a recipe that is not worth counting."""


class Bodies:
    """What all bodies share.

    Args:
        pipeline: What computes.
        settings: How many there may be, and how long each may take.
        metrics: Where they are counted.
    """

    def __init__(self, pipeline: Pipeline, settings: Settings, metrics: Metrics) -> None:
        self.pipeline = pipeline
        self.kind = kind_of(pipeline.backend)
        self.metrics = metrics
        self.settings = settings
        self.slots = Quota(settings.max_bodies, "bodies", "max_bodies")
        self.tensors = Quota(settings.max_held_tensors, "tensors", "max_held_tensors")
        metrics.limit.set(settings.max_bodies)
        metrics.tensors_limit.set(settings.max_held_tensors)
        metrics.buffered_limit.set(settings.max_buffered_bytes)

    def hold_tensors(self, visit: Visit, count: int) -> None:
        """Count the tensors of a request's recipe, as far as they are known, until it has ended.

        Raises:
            Busy: They are too many beside those that are under way.
        """
        more = count - visit.tensors
        if count < _FEW or more <= 0:
            return
        payer = visit.payer
        self.tensors.take(payer, more)
        if not visit.tensors:
            visit.finally_(lambda: self.tensors.give(payer, visit.tensors))
        visit.tensors = count

    async def admit(self, visit: Visit, plan: Plan) -> None:
        """Let a body begin, at once or as soon as another one has ended.

        Raises:
            Busy: None has ended in the time that a request may wait.
        """
        self.hold_tensors(visit, len(plan.tensors))
        payer = visit.payer
        try:
            await self.slots.wait(payer, self.settings.queue_timeout)
        finally:
            self.tell()
        visit.finally_(self.tell)
        visit.finally_(lambda: self.slots.give(payer))
        self.tell()

    def tell(self) -> None:
        """Tell the metrics how much is under way."""
        self.metrics.bodies.set(self.slots.held)
        self.metrics.waiting.set(self.slots.waiting)
        self.metrics.tensors.set(self.tensors.held)
        self.metrics.buffered.set(self.pipeline.buffers.lent)
        backend = self.pipeline.backend
        if isinstance(backend, CupyBackend):
            self.metrics.fallbacks.inc(backend.take_fallbacks())


class PlanResponse(Response):
    """Bytes of a planned file as a streamed body of known length.

    Of the body a few chunks are computed ahead of the transport, so memory stays constant; a reader
    that does not take them costs what the transport holds, and is cut off after a while. It watches
    the connection itself, because the server accepts chunks for clients that have gone.

    Args:
        plan: The file.
        bodies: What it shares with others.
        span: [start, stop) in bytes of the file.
        headers: What tells of the file.
        head: The span's first bytes, where they are computed already.
    """

    def __init__(
        self,
        plan: Plan,
        bodies: Bodies,
        span: tuple[int, int],
        headers: Mapping[str, str],
        head: memoryview = memoryview(b""),  # noqa: B008 - of nothing, and never written
    ) -> None:
        super().__init__(headers=headers)
        self._plan = plan
        self._bodies = bodies
        self._start, self._stop = span
        self._head = head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, and stop within a chunk when the client goes.

        Raises:
            Busy: It may not begin; nothing was sent.
        """
        visit, start = visit_of(scope), self._start + len(self._head)
        more = start < self._stop
        if more:
            await self._bodies.admit(visit, self._plan)
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        head, self._head = self._head, memoryview(b"")  # which a long body need not keep
        if head or not more:
            await send({"type": "http.response.body", "body": head, "more_body": more})
        del head
        if more:
            await self._stream(start, scope, receive, send)
        ended = self._stop if visit.is_complete else self._start + visit.sent
        self._bodies.metrics.values.inc(self._plan.values(self._start, ended))

    async def _stream(self, start: int, scope: Scope, receive: Receive, send: Send) -> None:
        settings, visit = self._bodies.settings, visit_of(scope)
        connection = scope.get("extensions", {}).get(EXTENSION, {})
        later = asyncio.get_running_loop().call_later
        async with anyio.create_task_group() as tasks:

            def cut(reason: str) -> None:
                visit.ended = reason
                _log.warning("cut off after %d bytes: %s", visit.sent, reason)
                if abort := connection.get("abort"):  # what is buffered would wait for ever
                    abort()
                tasks.cancel_scope.cancel()

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                visit.ended = visit.ended or "client"
                tasks.cancel_scope.cancel()

            async def pass_on(chunk: memoryview, *, more: bool = True) -> None:
                stall = later(settings.stall_timeout, cut, "stall")
                try:
                    await send({"type": "http.response.body", "body": chunk, "more_body": more})
                finally:
                    stall.cancel()

            tasks.start_soon(watch)
            deadline = later(settings.stream_timeout, cut, "deadline")
            try:
                await self._send_from(start, pass_on)
                if flush := connection.get("flush"):  # the slot is held until all has been taken
                    flush()
                await pass_on(memoryview(b""), more=False)
            finally:
                deadline.cancel()
            tasks.cancel_scope.cancel()

    async def _send_from(
        self, start: int, pass_on: Callable[[memoryview], Awaitable[None]]
    ) -> None:
        later = asyncio.get_running_loop().call_later
        with self._bodies.pipeline.chunks(self._plan, (start, self._stop)) as chunks:
            while future := chunks.take():
                chunk = await asyncio.wrap_future(future)
                patience = later(_PATIENCE, chunks.stall)
                try:
                    await pass_on(chunk)
                finally:
                    patience.cancel()
                del chunk  # so that nothing but the transport keeps its buffer
