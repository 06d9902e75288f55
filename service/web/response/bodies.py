"""Bodies of weights: streamed in constant memory, so many at once, each while it is read."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

import anyio
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from service.backends import kind_of
from service.backends.cupy import CupyBackend
from service.errors import Busy
from service.plan import Plan
from service.settings import Settings
from service.stream.pipeline import Pipeline
from service.web.middleware.access_log import Visit, visit_of
from service.web.server import connection_of
from service.web.shared.metrics import Metrics
from service.web.shared.quota import Quota

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
        self.slots = Quota(settings.max_bodies, "bodies", "max_bodies", self.tell)
        most = settings.max_held_tensors
        self.tensors = Quota(most, "tensors", "max_held_tensors", self.tell)
        self._sharing: Counter[str] = Counter()
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
        owner = visit.owner
        self.tensors.take(owner, more, own=visit.tensors)
        if not visit.tensors:
            visit.finally_(lambda: self.tensors.give(owner, visit.tensors))
        visit.tensors = count

    async def admit(self, visit: Visit, plan: Plan) -> None:
        """Let a body begin, at once or as soon as another one has ended.

        Raises:
            Busy: None has ended in the time that a request may wait.
        """
        if not self._sharing[plan.etag]:  # parts of one file at once hold its plan once
            self.hold_tensors(visit, len(plan.tensors))
        owner = visit.owner
        await self.slots.wait(owner, self.settings.queue_timeout)
        self._sharing[plan.etag] += 1
        visit.finally_(lambda: self._leave(owner, plan.etag))

    def _leave(self, owner: str, etag: str) -> None:
        self._sharing[etag] -= 1
        if not self._sharing[etag]:
            del self._sharing[etag]
        self.slots.give(owner)

    def tell(self) -> None:
        """Tell the metrics how much is under way."""
        self.metrics.bodies.set(self.slots.held)
        self.metrics.waiting.set(self.slots.waiting)
        self.metrics.tensors.set(self.tensors.held)
        self.metrics.buffered.set(self.pipeline.buffers.in_use)
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
        begin = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        more = start < self._stop
        first: list[Message] = [begin, _body(self._head, more=more)]
        self._head = memoryview(b"")  # which a long body need not keep
        try:
            if more:
                await self._stream(start, first, scope, receive, send)
            else:
                for message in first:
                    await send(message)
        finally:
            self._count(visit)

    def _count(self, visit: Visit) -> None:
        ended = self._stop if visit.is_complete else self._start + visit.sent
        self._bodies.metrics.values.inc(self._plan.values(self._start, ended))

    async def _stream(
        self, start: int, first: list[Message], scope: Scope, receive: Receive, send: Send
    ) -> None:
        visit, refused = visit_of(scope), list[Busy]()
        async with anyio.create_task_group() as tasks:
            delivery = _Delivery(self._bodies.settings, scope, send, tasks.cancel_scope)
            tasks.start_soon(delivery.watch, receive)
            try:
                await self._bodies.admit(visit, self._plan)
            except Busy as busy:
                refused.append(busy)  # to be raised as itself, not in a group
            else:
                with delivery.until_deadline():
                    while first:
                        await delivery.pass_on(first.pop(0))
                    await self._send_from(start, delivery.pass_on)
                    await delivery.finish()
            tasks.cancel_scope.cancel()
        if refused:
            raise refused[0]

    async def _send_from(self, start: int, pass_on: Callable[[Message], Awaitable[None]]) -> None:
        later = asyncio.get_running_loop().call_later
        with self._bodies.pipeline.chunks(self._plan, (start, self._stop)) as chunks:
            while future := chunks.take():
                chunk = await asyncio.wrap_future(future)
                patience = later(_PATIENCE, chunks.stall)
                try:
                    await pass_on(_body(chunk))
                finally:
                    patience.cancel()
                del chunk  # so that nothing but the transport keeps its buffer


class _Delivery:
    """A body on its way to a reader that may stall or leave.

    Args:
        settings: How long it may.
        scope: The request's.
        send: To the transport.
        work: What ends with it.
    """

    def __init__(
        self, settings: Settings, scope: Scope, send: Send, work: anyio.CancelScope
    ) -> None:
        self._settings = settings
        self._visit = visit_of(scope)
        self._connection = connection_of(scope)
        self._send = send
        self._work = work
        self._later = asyncio.get_running_loop().call_later
        self._timer: asyncio.TimerHandle | None = None

    async def watch(self, receive: Receive) -> None:
        """End the work when the client goes."""
        while (await receive())["type"] != "http.disconnect":
            pass
        if not self._visit.is_complete:
            self._visit.ended = self._visit.ended or "client"
        self._work.cancel()

    @contextmanager
    def until_deadline(self) -> Iterator[None]:
        """Cut the reader off when the body has taken too long."""
        deadline = self._later(self._settings.stream_timeout, self._cut, "deadline")
        try:
            yield
        finally:
            deadline.cancel()

    async def pass_on(self, message: Message) -> None:
        """Send a message; cut the reader off when it takes nothing for too long."""
        self._look(None)
        try:
            await self._send(message)
        finally:
            if self._timer:
                self._timer.cancel()

    async def finish(self) -> None:
        """End the body once the system has taken all of it: until then it has its place."""
        if self._connection:
            self._connection.flush()
        await self.pass_on(_body(more=False))

    def _look(self, before: int | None) -> None:
        """See whether the reader took something since the last look, and look again later."""
        pending = self._connection.pending if self._connection else 0
        if before is not None and pending >= before:
            self._cut("stall")
        else:
            self._timer = self._later(self._settings.stall_timeout, self._look, pending)

    def _cut(self, reason: str) -> None:
        self._visit.ended = reason
        _log.warning("cut off after %d bytes: %s", self._visit.sent, reason)
        if self._connection:
            self._connection.abort()
        self._work.cancel()


def _body(chunk: memoryview = memoryview(b""), *, more: bool = True) -> Message:  # noqa: B008
    return {"type": "http.response.body", "body": chunk, "more_body": more}
