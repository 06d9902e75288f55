"""The server: uvicorn, with connections that can be ended though their reader takes nothing."""

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
"""Name in an ASGI scope's extensions under which its `Connection` is."""

_HEALTHY = 60
"""Seconds in which a worker process answers its parent, be it as busy as it may."""


class Connection(HttpToolsProtocol):
    """A connection whose answers can wait for its reader, be cut off, and know when it is lost."""

    is_lost = False
    _running: RequestResponseCycle | None = None

    def on_message_begin(self) -> None:
        """Offer itself to the application."""
        super().on_message_begin()
        self._hold_back(None)  # as usual, whatever the answer before it needed
        self.scope["extensions"] = {EXTENSION: {"connection": self}}

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever answers, though another request has come behind the one that is answered."""
        self.is_lost = True
        super().connection_lost(exc)
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def abort(self) -> None:
        """End it now: what is buffered would wait for its reader for ever."""
        self.transport.abort()

    @property
    def pending(self) -> int:
        """Bytes that the system has not taken yet."""
        return 0 if self.transport.is_closing() else self.transport.get_write_buffer_size()

    def flush(self) -> None:
        """Let the next message wait until the system has taken all before it."""
        self._hold_back(0)

    def _hold_back(self, high: int | None) -> None:
        if not self.transport.is_closing():
            self.transport.set_write_buffer_limits(high)


def connection_of(scope: MutableMapping[str, Any]) -> Connection | None:
    """Return the connection of a request; None where another server has it."""
    found: Connection | None = scope.get("extensions", {}).get(EXTENSION, {}).get("connection")
    return found


def serve(settings: Settings) -> None:
    """Serve until told to end."""
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
    """Take as many connections as the system lets us, not as many as shells usually do."""
    try:
        import resource  # noqa: PLC0415 - not everywhere
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
