"""PostgreSQL: one database for many servers.

A frozen server keeps its sockets open without responding, and libpq would wait for it forever. So
every wait of a connection ends at the deadline of its call.
"""

import math
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from sqlalchemy import URL, create_engine, event

from service.registry.deadline import remaining

Result = TypeVar("Result")

_MIN_TIMEOUT = 2
"""The shortest connection timeout in seconds that psycopg supports."""


class PostgreSQL:
    """A database on a server.

    Args:
        url: URL of the server and the database.
        wait: Seconds to wait for a connection, a response or a lock.
    """

    lock = "SELECT pg_advisory_xact_lock(7310310220151)"  # an arbitrary number, only used here

    def __init__(self, url: URL, wait: float) -> None:
        self._wait = wait
        self.engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            pool_size=4,
            max_overflow=4,
            pool_timeout=wait,
            hide_parameters=True,
            use_native_hstore=False,  # saves a round trip for every connection
            # A pooler may use another server for each transaction, without our prepared statements.
            connect_args={"client_encoding": "utf8", "prepare_threshold": None},
        )
        event.listen(self.engine, "do_connect", self._connect)

    def explain(self, cause: str) -> str:
        """Return an error message."""
        return f"the registry's database does not answer: {cause}"

    def _connect(self, _: Any, __: Any, arguments: Any, options: Any) -> "_Connection":
        left = min(self._wait, remaining())
        if left <= 0:
            raise _TooSlow("no answer in time")
        options["connect_timeout"] = max(_MIN_TIMEOUT, math.ceil(left))
        connection = _Connection.connect(*arguments, **options)
        try:
            connection.autocommit = True
            self._set_timeouts(connection)
            connection.autocommit = False
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_timeouts(self, connection: "_Connection") -> None:
        """Set timeouts in the server too, so that it holds no locks for a client that is gone."""
        for name, seconds in (
            ("statement_timeout", self._wait),
            ("idle_in_transaction_session_timeout", 2 * self._wait),
        ):
            milliseconds = str(math.ceil(1000 * seconds))
            connection.execute("SELECT set_config(%s, %s, false)", (name, milliseconds))


class _Connection(psycopg.Connection[Any]):
    """A connection that is closed if a response does not arrive in time."""

    def wait(self, gen: Generator[Any, Any, Result], *args: Any, **options: Any) -> Result:
        """Run a generator of psycopg, which does all communication."""
        try:
            return super().wait(_until_deadline(gen), *args, **options)
        except _TooSlow:
            self.close()
            raise


class _TooSlow(psycopg.OperationalError):
    """The server did not respond in time."""


def _until_deadline(steps: Generator[Any, Any, Result]) -> Generator[Any, Any, Result]:
    """Run a generator until the call's deadline."""
    try:
        wait_for = next(steps)
        while True:
            ready = yield wait_for
            if remaining() <= 0:
                raise _TooSlow("no answer in time")
            wait_for = steps.send(ready)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
