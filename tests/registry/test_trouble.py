"""A database that is down, frozen, locked or read-only: one error within the timeout."""

import os
import sqlite3
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.errors import RegistryUnavailable
from service.registry import Registry
from service.registry.schema import METADATA
from tests.registry.postgres import Postgres
from tests.registry.writer import put

SECRET = "s3cr3t&/x y"
QUOTED = "s3cr3t%26%2Fx%20y"


@contextmanager
def soon(seconds: float) -> Iterator[None]:
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < seconds


def test_absent_server_is_waited_for(postgres: Postgres, opened: Callable[..., Registry]) -> None:
    registry = opened(postgres.database(), wait=1.0)
    put(registry, b"1")
    postgres.stop()
    try:
        for _ in range(2):
            with soon(5), pytest.raises(RegistryUnavailable, match="does not answer"):
                registry.recipe("0" * 64)
    finally:
        postgres.start()
    put(registry, b"2")


def test_server_that_was_away_meanwhile_fails_a_call(
    postgres: Postgres, opened: Callable[..., Registry]
) -> None:
    registry = opened(postgres.database())
    recipe_id = put(registry, b"1")
    postgres.stop()
    postgres.start()
    assert registry.recipe(recipe_id) == b"1"


def test_database_that_was_emptied_needs_a_restart(registry: Registry) -> None:
    put(registry, b"1")
    with registry._database.begin() as connection:
        METADATA.drop_all(connection)
    with pytest.raises(RegistryUnavailable):
        registry.recipe("0" * 64)
    assert registry.put_recipe("0" * 64, b"1")


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "new"])
def test_frozen_server_is_waited_for(
    postgres: Postgres, opened: Callable[..., Registry], is_known: bool
) -> None:
    """With more threads than connections, so that some wait for a connection."""
    registry = opened(postgres.database(), wait=1.0)

    def ask(_: int) -> None:
        with pytest.raises(RegistryUnavailable, match="does not answer"):
            registry.recipe("0" * 64)

    if is_known:
        put(registry, b"1")
    postgres.freeze()
    try:
        with soon(8), ThreadPoolExecutor(16) as pool:
            list(pool.map(ask, range(16)))
    finally:
        postgres.thaw()
    put(registry, b"2")


def test_server_frozen_in_a_transaction_is_waited_for(
    postgres: Postgres, opened: Callable[..., Registry]
) -> None:
    registry = opened(postgres.database(), wait=1.0)
    put(registry, b"1")

    def freeze() -> None:
        with registry._database.begin() as connection:
            connection.exec_driver_sql("SELECT 1")
            postgres.freeze()
            connection.exec_driver_sql("SELECT 1")

    try:
        with soon(5), pytest.raises(RegistryUnavailable, match="no answer in time"):
            freeze()
    finally:
        postgres.thaw()
    put(registry, b"2")


def test_lock_of_a_server_is_waited_for(
    postgres: Postgres, opened: Callable[..., Registry]
) -> None:
    url = postgres.database()
    registry, other = opened(url, wait=1.0), opened(url)
    recipe_id = put(registry, b"1")
    with other._database.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE recipes")
        with soon(5), pytest.raises(RegistryUnavailable):
            registry.recipe(recipe_id)
    assert registry.recipe(recipe_id) == b"1"


def test_pool_that_is_empty_is_waited_for(
    postgres: Postgres, opened: Callable[..., Registry]
) -> None:
    registry = opened(postgres.database(), wait=0.3)
    put(registry, b"1")
    held = [registry._database._backend.engine.connect() for _ in range(8)]
    with soon(3), pytest.raises(RegistryUnavailable, match="all connections are in use"):
        registry.recipe("0" * 64)
    for each in held:
        each.close()
    put(registry, b"2")


def test_locked_file_is_waited_for(tmp_path: Path, opened: Callable[..., Registry]) -> None:
    registry = opened(f"sqlite:///{tmp_path}/registry.sqlite", wait=0.3)
    recipe_id = put(registry, b"1")
    other = sqlite3.connect(tmp_path / "registry.sqlite")
    other.execute("BEGIN IMMEDIATE")
    with soon(3), pytest.raises(RegistryUnavailable, match=r"locked for more than 0\.3 s"):
        registry.put_recipe("0" * 64, b"2")
    assert registry.recipe(recipe_id) == b"1"  # readers do not wait
    other.close()
    assert registry.put_recipe("0" * 64, b"2")


def test_file_that_is_locked_while_it_is_made_is_waited_for(
    tmp_path: Path, opened: Callable[..., Registry]
) -> None:
    other = sqlite3.connect(tmp_path / "registry.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    registry = opened(f"sqlite:///{tmp_path}/registry.sqlite", wait=0.3)
    with soon(3), pytest.raises(RegistryUnavailable, match="locked"):
        registry.recipe("0" * 64)
    other.close()
    put(registry, b"1")


def test_file_that_is_written_while_it_is_opened_is_not_waited_for(
    tmp_path: Path, opened: Callable[..., Registry]
) -> None:
    other = sqlite3.connect(tmp_path / "registry.sqlite", check_same_thread=False)
    other.execute("CREATE TABLE theirs (x)")
    other.execute("BEGIN IMMEDIATE")  # SQLite itself does not wait for this lock
    end = threading.Timer(0.2, other.close)
    end.start()
    put(opened(f"sqlite:///{tmp_path}/registry.sqlite"), b"1")
    end.join()


def test_folder_that_is_a_file_is_no_trouble(
    tmp_path: Path, opened: Callable[..., Registry]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RegistryUnavailable, match="TENSORSEED_DATA_DIR"):
        opened(f"sqlite:///{tmp_path}/file/registry.sqlite").recipe("0" * 64)


@pytest.fixture
def readonly() -> Iterator[Path]:
    """A folder with a registry's file, both read-only."""
    if os.name != "posix":
        pytest.skip("folders here cannot be made read-only")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry = Registry(f"sqlite:///{folder}/inner/registry.sqlite")
        put(registry, b"1")
        registry.close()
        folder.chmod(0o755)
        (folder / "inner").chmod(0o555)
        (folder / "inner/registry.sqlite").chmod(0o444)
        own = os.geteuid()
        if own == 0:  # root may write everywhere
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(own)
            (folder / "inner").chmod(0o700)


@pytest.mark.parametrize(
    "file", ["inner/registry.sqlite", "inner/new.sqlite", "inner/made/registry.sqlite"]
)
def test_folder_that_cannot_be_written_is_no_trouble(
    readonly: Path, opened: Callable[..., Registry], file: str
) -> None:
    with pytest.raises(RegistryUnavailable, match=r"data_dir \(TENSORSEED_DATA_DIR\)"):
        opened(f"sqlite:///{readonly / file}").put_recipe("0" * 64, b"2")


def test_file_of_another_kind_is_written_over(
    tmp_path: Path, opened: Callable[..., Registry]
) -> None:
    path = tmp_path / "registry.sqlite"
    path.write_bytes(b"not a database " * 1000)
    with pytest.raises(RegistryUnavailable, match="not a database"):
        opened(f"sqlite:///{path}").put_recipe("0" * 64, b"1")
    assert path.read_bytes() == b"not a database " * 1000


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:%s@localhost:1/db",
        "postgresql+psycopg://user:%s@nowhere.invalid/db",
        "postgresql://localhost:1/db?user=u&password=%s",
        "postgresql://user@localhost:1/db?password=%s&sslmode=%s",
        "postgresql://user:%s@localhost:port/db",
        "mysql://user:%s@localhost/db",
        "user:%s@localhost",
        "sqlite://user:%s@/",
    ],
)
def test_password_is_told(url: str) -> None:
    with pytest.raises((RegistryUnavailable, ValueError)) as caught:
        Registry(url.replace("%s", QUOTED), wait=1.0).recipe("0" * 64)
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert SECRET not in text
    assert QUOTED not in text


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "cannot be read as a URL"),
        ("mysql://localhost/db", "cannot use mysql: database_url is postgresql://"),
        ("postgresql+psycopg2://localhost/db", "cannot use postgresql"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_database_of_another_kind_is_taken(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Registry(url)


def test_missing_driver_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "service.registry.postgres", raising=False)
    with pytest.raises(ValueError, match=r"pip install 'tensorseed\[postgres\]'"):
        Registry("postgresql://localhost/db")
