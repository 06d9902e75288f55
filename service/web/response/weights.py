"""Weights as a response: streamed in constant memory, for as long as the client reads."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

import anyio
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from service.errors import Busy
from service.plan import Plan
from service.web.context import RequestContext

_log = logging.getLogger("tensorseed")

_SLOW_READER = 0.25
"""Seconds that a client may take over a chunk before the chunks computed ahead are released."""


class WeightsResponse(Response):
    """The bytes of a planned file as a streamed body of known length.

    A few chunks are computed ahead of the transport, so memory stays constant. A client that does
    not read costs only what the transport holds, and is cut off after a while. The response watches
    the connection itself, because the server accepts chunks for clients that have gone.

    Args:
        context: The request's.
        plan: The file.
        span: [start, stop) in bytes of the file.
        headers: Headers that describe the file.
        head: The span's first bytes, if they are computed already.
    """

    def __init__(
        self,
        context: RequestContext,
        plan: Plan,
        span: tuple[int, int],
        headers: Mapping[str, str],
        head: memoryview = memoryview(b""),  # noqa: B008 - empty, and never written
    ) -> None:
        super().__init__(headers=headers)
        self._context = context
        self._plan = plan
        self._start, self._stop = span
        self._head = head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, and stop within a chunk when the client goes.

        Raises:
            Busy: It may not begin; nothing was sent.
        """
        start = self._start + len(self._head)
        begin = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        more = start < self._stop
        first: list[Message] = [begin, _body(self._head, more=more)]
        self._head = memoryview(b"")  # a long body need not keep it
        try:
            if more:
                await self._stream(start, first, receive, send)
            else:
                for message in first:
                    await send(message)
        finally:
            self._count_values()

    def _count_values(self) -> None:
        context = self._context
        end = self._stop if context.is_complete else self._start + context.sent
        context.shared.metrics.values.inc(self._plan.count_values(self._start, end))

    async def _stream(self, start: int, first: list[Message], receive: Receive, send: Send) -> None:
        refused: list[Busy] = []
        async with anyio.create_task_group() as tasks:
            delivery = _Delivery(self._context, send, tasks.cancel_scope)
            tasks.start_soon(delivery.watch, receive)
            try:
                await self._context.hold_body(self._plan)
            except Busy as busy:
                refused.append(busy)  # raised below as itself, not in an exception group
            else:
                with delivery.until_deadline():
                    while first:
                        await delivery.send(first.pop(0))
                    await self._send_from(start, delivery.send)
                    await delivery.finish()
            tasks.cancel_scope.cancel()
        if refused:
            raise refused[0]

    async def _send_from(self, start: int, send: Callable[[Message], Awaitable[None]]) -> None:
        call_later = asyncio.get_running_loop().call_later
        pipeline = self._context.shared.pipeline
        with pipeline.chunks(self._plan, (start, self._stop)) as chunks:
            while future := chunks.take():
                chunk = await asyncio.wrap_future(future)
                timer = call_later(_SLOW_READER, chunks.stall)
                try:
                    await send(_body(chunk))
                finally:
                    timer.cancel()
                del chunk  # so that only the transport keeps its buffer


class _Delivery:
    """A body on its way to a client that may stall or leave.

    Args:
        context: The request's.
        send: Sends to the transport.
        work: Is cancelled when the delivery ends.
    """

    def __init__(self, context: RequestContext, send: Send, work: anyio.CancelScope) -> None:
        self._context = context
        self._settings = context.shared.settings
        self._connection = context.connection
        self._send = send
        self._work = work
        self._call_later = asyncio.get_running_loop().call_later
        self._timer: asyncio.TimerHandle | None = None

    async def watch(self, receive: Receive) -> None:
        """Cancel the work when the client goes."""
        while (await receive())["type"] != "http.disconnect":
            pass
        if not self._context.is_complete:
            self._context.ended = self._context.ended or "client"
        self._work.cancel()

    @contextmanager
    def until_deadline(self) -> Iterator[None]:
        """Cut the client off if the body takes longer than ``stream_timeout``."""
        timer = self._call_later(self._settings.stream_timeout, self._cut_off, "deadline")
        try:
            yield
        finally:
            timer.cancel()

    async def send(self, message: Message) -> None:
        """Send a message; cut the client off if it reads nothing for ``stall_timeout``."""
        self._check_progress(None)
        try:
            await self._send(message)
        finally:
            if self._timer:
                self._timer.cancel()

    async def finish(self) -> None:
        """End the body once the system has taken all of it: until then it counts."""
        if self._connection:
            self._connection.flush()
        await self.send(_body(more=False))

    def _check_progress(self, before: int | None) -> None:
        """Cut the client off if it has read nothing since the last check; else check again."""
        pending = self._connection.pending if self._connection else 0
        if before is not None and pending >= before:
            self._cut_off("stall")
        else:
            timeout = self._settings.stall_timeout
            self._timer = self._call_later(timeout, self._check_progress, pending)

    def _cut_off(self, reason: str) -> None:
        self._context.ended = reason
        _log.warning("cut off after %d bytes: %s", self._context.sent, reason)
        if self._connection:
            self._connection.abort()
        self._work.cancel()


def _body(chunk: memoryview = memoryview(b""), *, more: bool = True) -> Message:  # noqa: B008
    return {"type": "http.response.body", "body": chunk, "more_body": more}
