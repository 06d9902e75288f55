"""The server: uvicorn, with connections that can be aborted while their client reads nothing."""

import os
from collections.abc import MutableMapping
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.settings import Settings
from service.web import logs
from service.web.metrics import FOLDER

EXTENSION = "tensorseed"
"""Key of an ASGI scope's extensions under which its `Connection` is."""

_HEALTHY = 60
"""Seconds in which a worker process has to answer its parent, however busy it is."""


class Connection(HttpToolsProtocol):
    """A connection that can wait for its client to read, be aborted, and tell when it is lost."""

    is_lost = False
    _running: RequestResponseCycle | None = None

    def on_message_begin(self) -> None:
        """Put itself into the request's scope, for the application."""
        super().on_message_begin()
        self._limit_buffer(None)  # the default, whatever the response before it set
        self.scope["extensions"] = {EXTENSION: {"connection": self}}

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the running response, even if a pipelined request has arrived behind it."""
        self.is_lost = True
        super().connection_lost(exc)
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def abort(self) -> None:
        """Close it now: its buffered bytes would wait for the client forever."""
        self.transport.abort()

    @property
    def pending(self) -> int:
        """Bytes that the operating system has not accepted yet."""
        return 0 if self.transport.is_closing() else self.transport.get_write_buffer_size()

    def flush(self) -> None:
        """Have the next message wait until the operating system has accepted all before it."""
        self._limit_buffer(0)

    def _limit_buffer(self, high: int | None) -> None:
        if not self.transport.is_closing():
            self.transport.set_write_buffer_limits(high)


def connection_of(scope: MutableMapping[str, Any]) -> Connection | None:
    """Return the connection of a request; None if it comes through another server."""
    found: Connection | None = scope.get("extensions", {}).get(EXTENSION, {}).get("connection")
    return found


def serve(settings: Settings) -> None:
    """Serve until a signal ends the server."""
    _allow_many_files()
    with TemporaryDirectory(prefix="tensorseed-") as folder:
        if settings.workers > 1:
            os.environ[FOLDER] = folder
        _run(settings)


def _run(settings: Settings) -> None:
    uvicorn.run(
        "service.web.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        http=Connection,
        ws="none",
        root_path=settings.root_path,
        forwarded_allow_ips=settings.trusted_proxies,
        access_log=False,
        timeout_graceful_shutdown=settings.drain_timeout,
        timeout_worker_healthcheck=_HEALTHY,
        server_header=False,
        log_config=logs.configuration(settings.log_format, settings.log_level),
    )


def _allow_many_files() -> None:
    """Raise the limit of open files from the shell's default to the system's maximum."""
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
