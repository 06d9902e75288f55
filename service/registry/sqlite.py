"""SQLite: one file for all processes of one machine."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, event

from service.registry.deadline import remaining


class SQLite:
    """A database in a file, whose folder is created with the first connection.

    Args:
        url: URL with the file's path.
        wait: Seconds to wait for a lock.

    Raises:
        ValueError: The URL has no path.
    """

    lock = "BEGIN IMMEDIATE"

    def __init__(self, url: URL, wait: float) -> None:
        if not url.database or url.database == ":memory:":
            raise ValueError("the registry needs a file: sqlite:////folder/registry.sqlite")
        self._path = Path(url.database)
        self._wait = wait
        self.engine = create_engine(
            url.set(drivername="sqlite"),
            pool_timeout=wait,
            hide_parameters=True,
            connect_args={"timeout": wait},
        )
        event.listen(self.engine, "do_connect", self._make_folder)
        event.listen(self.engine, "connect", _prepare)

    def explain(self, cause: str) -> str:
        """Return an error message, with a fix."""
        if "is locked" in cause:
            return f"the registry {self._path} was locked for more than {self._wait:g} s: {cause}"
        return (
            f"the registry {self._path} cannot be used: {cause}; its folder, data_dir"
            " (TENSORSEED_DATA_DIR), must be writable"
        )

    def _make_folder(self, *_: Any) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _prepare(connection: sqlite3.Connection, _: Any) -> None:
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous=FULL")  # acknowledged writes survive a power failure
    connection.execute("PRAGMA foreign_keys=ON")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Enable write-ahead logging, so that readers continue while another process writes."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if remaining() <= 0:
                raise
            # Another process is creating the file. SQLite does not wait for this lock, so wait
            # for another lock that excludes it; if that fails, it was another error.
            connection.execute("BEGIN EXCLUSIVE")
            connection.rollback()
        else:
            return
