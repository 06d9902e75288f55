"""Every request from its head to the end of its answer: its id, what it holds, counts and a log."""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import truncate
from service.web.logs import ACCESS, REQUEST
from service.web.server import connection_of
from service.web.shared.metrics import Metrics

_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_log = logging.getLogger(ACCESS)


class Visit:
    """One request and its answer.

    Args:
        scope: The request's.
    """

    def __init__(self, scope: Scope) -> None:
        asked = dict(scope["headers"]).get(b"x-request-id", b"")
        self.id = asked.decode() if _ID.fullmatch(asked) else uuid4().hex
        self.client = scope["client"][0] if scope.get("client") else ""
        self.key = ""
        self.started = time.perf_counter()
        self.status = 0
        self.sent = 0
        self.tensors = 0
        """How many it holds of those that may be under way."""
        self.ended = ""
        """Who or what ended the answer early: client, stall, deadline, shutdown or error."""
        self.is_complete = False
        self._has_body = scope["method"] != "HEAD"
        self._connection = connection_of(scope)
        self._last: list[Callable[[], object]] = []

    @property
    def owner(self) -> str:
        """Whose share of the service it counts for: its key's, or else its address's."""
        return self.key or self.client

    @property
    def header(self) -> tuple[bytes, bytes]:
        """Its id, as every answer has it."""
        return b"x-request-id", self.id.encode()

    def settle(self, message: Message) -> None:
        """Count a message that the server has taken, as it does for clients that have gone too."""
        if message["type"] == "http.response.body":
            self.sent += len(message.get("body", b"")) if self._has_body else 0
            is_lost = self._connection is not None and self._connection.is_lost
            self.is_complete = not (message.get("more_body", False) or self.ended or is_lost)

    def finally_(self, call: Callable[[], object]) -> None:
        """Have something done when the answer has ended."""
        self._last.append(call)

    def end(self) -> None:
        """Do what was to be done in the end."""
        while self._last:
            self._last.pop()()


def visit_of(scope: Scope) -> Visit:
    """Return the visit that a request is."""
    visit: Visit = scope["tensorseed.visit"]
    return visit


class Visits:
    """Middleware around all else.

    Args:
        app: What answers.
        metrics: Where requests are counted.
        under_way: Those that have not ended, for whoever waits for them.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, under_way: set[Visit]) -> None:
        self._app = app
        self._metrics = metrics
        self._under_way = under_way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and take note of what becomes of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = scope["tensorseed.visit"] = Visit(scope)
        REQUEST.set(visit.id)

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), visit.header]}
            elif not visit.sent and (message.get("body") or not message.get("more_body")):
                self._first(scope, visit)
            await send(message)
            visit.settle(message)

        self._under_way.add(visit)
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, tell)
        except asyncio.CancelledError:
            visit.ended = visit.ended or "shutdown"
            raise
        except BaseException:
            visit.ended = "error"
            visit.status = visit.status or 500
            raise
        finally:
            visit.end()
            self._metrics.in_flight.dec()
            self._count(scope, visit)
            self._under_way.discard(visit)

    def _first(self, scope: Scope, visit: Visit) -> None:
        took = time.perf_counter() - visit.started
        self._metrics.first_byte.labels(_route(scope)).observe(took)

    def _count(self, scope: Scope, visit: Visit) -> None:
        metrics, method = self._metrics, scope["method"]
        method = method if method in {"GET", "HEAD", "POST", "PUT", "OPTIONS"} else "other"
        metrics.requests.labels(method, _route(scope), str(visit.status)).inc()
        metrics.sent.inc(visit.sent)
        if not visit.is_complete:
            visit.ended = visit.ended or "client"
            metrics.aborted.labels(visit.ended).inc()
        if _log.isEnabledFor(logging.INFO):
            self._write(scope, visit)

    def _write(self, scope: Scope, visit: Visit) -> None:
        took = time.perf_counter() - visit.started
        path, client = printable(scope["path"]), printable(visit.client)
        about: dict[str, Any] = {
            "client": client,
            "method": scope["method"],
            "path": path,
            "route": _route(scope),
            "status": visit.status,
            "bytes": visit.sent,
            "seconds": round(took, 6),
        }
        about |= {"key": visit.key} if visit.key else {}
        about |= {} if visit.is_complete else {"aborted": visit.ended}
        _log.info(
            "%s %s %s %s %d %d bytes %.3f s",
            client,
            scope["method"],
            path,
            "ok" if visit.is_complete else visit.ended,
            visit.status,
            visit.sent,
            took,
            extra=about,
        )


def printable(text: str) -> str:
    r"""Return a client's text, and not too much of it, without what ends a line or moves a cursor.

    >>> printable("a\nb")
    'a\\nb'
    """
    return ascii(truncate(text))[1:-1]


def _route(scope: Scope) -> str:
    """Return a request's path as the routes are written; of others there would be no end."""
    return getattr(scope.get("route"), "path", "none")
