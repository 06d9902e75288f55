"""The context of one request: what it may use, what it holds, and what became of its response."""

import re
import time
from collections.abc import Callable
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Request
from starlette.types import Message, Receive, Scope

from service.plan import Plan
from service.web.server import connection_of
from service.web.shared import Shared

_ID = re.compile(rb"[\x21-\x7e]{1,128}")

_KEY = "tensorseed.context"
"""Key of an ASGI scope under which its context is."""

_FEW = 1_000
"""Tensors of a recipe below which they are not counted against the quota."""


class RequestContext:
    """One request from its head to the end of its response. It is made once and passed down.

    Args:
        scope: The request's ASGI scope.
        receive: Receives its body.
        shared: What all requests of the server share.
    """

    def __init__(self, scope: Scope, receive: Receive, shared: Shared) -> None:
        self.request = Request(scope, receive)
        self.shared = shared
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        self.id = given.decode() if _ID.fullmatch(given) else uuid4().hex
        self.client = scope["client"][0] if scope.get("client") else ""
        self.key = ""
        """Name of the key that the request presented; empty without one."""
        self.connection = connection_of(scope)
        self.started = time.perf_counter()
        self.status = 0
        self.sent = 0
        """Bytes of the body that were sent."""
        self.tensors = 0
        """Tensors of its recipe that count against the quota."""
        self.ended = ""
        """Why the response ended early: client, stall, deadline, shutdown or error."""
        self.is_complete = False
        self._has_body = scope["method"] != "HEAD"
        self._at_end: list[Callable[[], object]] = []
        scope[_KEY] = self

    @property
    def owner(self) -> str:
        """Whose quotas the request counts against: its key's, or else its client address's."""
        return self.key or self.client

    def hold_tensors(self, count: int) -> None:
        """Count the recipe's tensors, as far as they are known, until the request ends.

        Raises:
            Busy: Too many tensors are in use.
        """
        more = count - self.tensors
        if count < _FEW or more <= 0:
            return
        quota, owner = self.shared.quotas.tensors, self.owner
        quota.acquire(owner, more, own=self.tensors)
        if not self.tensors:
            self.at_end(lambda: quota.release(owner, self.tensors))
        self.tensors = count

    async def hold_donor(self) -> None:
        """Wait until one more donor may be on disk, and count it until the request ends.

        Raises:
            Busy: None was released within ``queue_timeout``.
        """
        quota, owner = self.shared.quotas.donors, self.owner
        await quota.wait(owner, self.shared.settings.queue_timeout)
        self.at_end(lambda: quota.release(owner))

    async def hold_body(self, plan: Plan) -> None:
        """Wait until one more body may be streamed, and count it until the request ends.

        Raises:
            Busy: None ended within ``queue_timeout``.
        """
        quotas, owner = self.shared.quotas, self.owner
        if not quotas.streams[plan.etag]:  # concurrent ranges of one file share its plan
            self.hold_tensors(len(plan.tensors))
        await quotas.bodies.wait(owner, self.shared.settings.queue_timeout)
        quotas.streams[plan.etag] += 1

        def release() -> None:
            quotas.streams[plan.etag] -= 1
            if not quotas.streams[plan.etag]:
                del quotas.streams[plan.etag]
            quotas.bodies.release(owner)

        self.at_end(release)

    def record_sent(self, message: Message) -> None:
        """Record a message that the server accepted; it accepts those to lost clients, too."""
        if message["type"] == "http.response.body":
            self.sent += len(message.get("body", b"")) if self._has_body else 0
            is_lost = self.connection is not None and self.connection.is_lost
            self.is_complete = not (message.get("more_body", False) or self.ended or is_lost)

    def at_end(self, call: Callable[[], object]) -> None:
        """Have something called when the request has ended."""
        self._at_end.append(call)

    def end(self) -> None:
        """Release what the request holds, the last first."""
        while self._at_end:
            self._at_end.pop()()


def context_of(scope: Scope) -> RequestContext:
    """Return the context of a request."""
    context: RequestContext = scope[_KEY]
    return context


async def _current(request: Request) -> RequestContext:
    return context_of(request.scope)


Context = Annotated[RequestContext, Depends(_current)]
"""The parameter of a route that receives the request's context."""
