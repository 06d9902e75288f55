"""A database that is opened at first use, and again after it was unavailable."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from sqlalchemy import URL, Connection, func, insert, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from service.errors import RegistryUnavailable
from service.registry.deadline import within
from service.registry.schema import METADATA, SCHEMA, VERSION
from service.registry.sqlite import SQLite

if TYPE_CHECKING:
    from service.registry.postgres import PostgreSQL

_MAX_MESSAGE = 300
"""Most characters of a driver's message that are repeated."""


class Database:
    """Transactions, with one error class for all failures of the database.

    Args:
        url: An SQLAlchemy URL.
        wait: Seconds to wait for a connection, a response or a lock.

    Raises:
        ValueError: The URL cannot be read, or this installation has no driver for it.
    """

    def __init__(self, url: str, wait: float) -> None:
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            raise ValueError("the registry's database_url cannot be read as a URL") from None
        self._backend = _backend_of(parsed, wait)
        self._secrets = _secrets(parsed)
        self._wait = wait
        self._is_ready = False

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction that is committed at the end of the block.

        Raises:
            RegistryUnavailable: The database does not respond, or refuses.
        """
        try:
            with within(self._wait):
                if not self._is_ready:
                    self._make_ready()
                with self._backend.engine.begin() as connection:
                    yield connection
        except (DBAPIError, NoConnectionLeft, OSError) as error:
            self._is_ready = False  # when it responds again, it may be another database
            raise RegistryUnavailable(self._backend.explain(self._cause(error))) from None

    def close(self) -> None:
        """Close the connections."""
        self._backend.engine.dispose()

    def _make_ready(self) -> None:
        with self._backend.engine.begin() as connection:
            version = _version(connection)
            if version is None:
                connection.exec_driver_sql(self._backend.lock)
                version = _version(connection) or _make_tables(connection)
        if version != VERSION:
            raise RegistryUnavailable(
                f"the registry's database has schema {version}, and this release needs {VERSION}:"
                " use the release that wrote it, or another database"
            )
        self._is_ready = True

    def _cause(self, error: Exception) -> str:
        if isinstance(error, NoConnectionLeft):
            return "all connections are in use"
        text = str(error.orig if isinstance(error, DBAPIError) else error)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:_MAX_MESSAGE]


def _backend_of(url: URL, wait: float) -> "SQLite | PostgreSQL":
    if url.drivername in {"sqlite", "sqlite+pysqlite"}:
        return SQLite(url, wait)
    if url.drivername not in {"postgresql", "postgresql+psycopg"}:
        raise ValueError(
            f"the registry cannot use {url.drivername}: database_url is"
            " postgresql://user:password@host/database, or empty for SQLite"
        )
    try:
        from service.registry.postgres import PostgreSQL  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ValueError(
            "PostgreSQL needs its driver: pip install 'tensorseed[postgres]'"
        ) from error
    return PostgreSQL(url, wait)


def _secrets(url: URL) -> set[str]:
    """Return the password in every form in which a message may contain it."""
    passwords = {str(url.password or ""), str(url.query.get("password", ""))} - {""}
    return passwords | {coded(each) for each in passwords for coded in (quote, quote_plus)}


def _version(connection: Connection) -> int | None:
    if not inspect(connection).has_table(SCHEMA.name):
        return None
    version: int | None = connection.scalar(select(func.max(SCHEMA.c.version)))
    return version


def _make_tables(connection: Connection) -> int:
    METADATA.create_all(connection, checkfirst=False)
    connection.execute(insert(SCHEMA).values(version=VERSION))
    return VERSION
