"""The access log: every request has an id, is counted, and writes a line when it has ended."""

import asyncio
import logging
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import truncate
from service.web.context import RequestContext
from service.web.logs import ACCESS, REQUEST
from service.web.shared import Shared

_METHODS = {"GET", "HEAD", "POST", "PUT", "OPTIONS"}
"""Methods that metrics tell apart; clients could invent any number of others."""

_log = logging.getLogger(ACCESS)


class AccessLog:
    """The outermost middleware: it makes a request's context and ends it.

    Args:
        app: The application.
        shared: What all requests share.
        active: The contexts of requests that have not ended.
    """

    def __init__(self, app: ASGIApp, shared: Shared, active: set[RequestContext]) -> None:
        self._app = app
        self._shared = shared
        self._metrics = shared.metrics
        self._active = active

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and record what becomes of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = RequestContext(scope, receive, self._shared)
        request_id = (b"x-request-id", context.id.encode())
        REQUEST.set(context.id)

        async def record(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), request_id]}
            elif not context.sent and (message.get("body") or not message.get("more_body")):
                took = time.perf_counter() - context.started
                self._metrics.first_byte.labels(_route(scope)).observe(took)
            await send(message)
            context.record_sent(message)

        self._active.add(context)
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, record)
        except asyncio.CancelledError:
            context.ended = context.ended or "shutdown"
            raise
        except BaseException:
            context.ended = "error"
            context.status = context.status or 500
            raise
        finally:
            context.end()
            self._metrics.in_flight.dec()
            self._count(scope, context)
            self._active.discard(context)

    def _count(self, scope: Scope, context: RequestContext) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, _route(scope), str(context.status)).inc()
        self._metrics.sent.inc(context.sent)
        if not context.is_complete:
            context.ended = context.ended or "client"
            self._metrics.aborted.labels(context.ended).inc()
        if _log.isEnabledFor(logging.INFO):
            _write(scope, context)


def _write(scope: Scope, context: RequestContext) -> None:
    took = time.perf_counter() - context.started
    path, client = printable(scope["path"]), printable(context.client)
    fields: dict[str, Any] = {
        "client": client,
        "method": scope["method"],
        "path": path,
        "route": _route(scope),
        "status": context.status,
        "bytes": context.sent,
        "seconds": round(took, 6),
    }
    fields |= {"key": context.key} if context.key else {}
    fields |= {} if context.is_complete else {"aborted": context.ended}
    _log.info(
        "%s %s %s %s %d %d bytes %.3f s",
        client,
        scope["method"],
        path,
        "ok" if context.is_complete else context.ended,
        context.status,
        context.sent,
        took,
        extra=fields,
    )


def printable(text: str) -> str:
    r"""Return a client's text, truncated, with line ends and terminal controls escaped.

    >>> printable("a\nb")
    'a\\nb'
    """
    return ascii(truncate(text))[1:-1]


def _route(scope: Scope) -> str:
    """Return the path of the matched route; clients could invent any number of other paths."""
    return getattr(scope.get("route"), "path", "none")
