"""Writers and servers that are killed: acknowledged revisions are still there."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from service.errors import RegistryUnavailable
from service.registry import Registry
from tests.registry.postgres import Postgres
from tests.registry.writer import SHARED, put, texts, writers


def check(registry: Registry, acknowledged: dict[int, str]) -> None:
    """Check that all acknowledged revisions are there, and at most one more."""
    history = {each.number: each.recipe_id for each in registry.revisions(*SHARED, limit=10000)}
    assert list(history) == list(range(len(history), 0, -1))
    assert acknowledged.items() <= history.items()
    assert len(history) - len(acknowledged) <= 1
    assert all(registry.recipe(each) for each in history.values())
    acknowledged.update(history)


def test_killed_writer_undoes_what_it_told(url: str, opened: Callable[..., Registry]) -> None:
    acknowledged: dict[int, str] = {}
    for round_, enough in enumerate((1, 10, 40)):
        with writers(url, f"round {round_}") as (process,):
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(enough)]
            process.kill()
            lines += process.communicate(timeout=60)[0].splitlines(keepends=True)
        whole = [line.split() for line in lines if line.endswith("\n")]
        acknowledged.update({int(number): recipe_id for number, recipe_id in whole})
        check(opened(url), acknowledged)
        if url.startswith("sqlite"):
            with sqlite3.connect(Path(url.removeprefix("sqlite:///"))) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            connection.close()


@pytest.mark.parametrize("end", [Postgres.kill, Postgres.stop])
def test_killed_server_undoes_what_it_told(
    postgres: Postgres, opened: Callable[..., Registry], end: Callable[[Postgres], None]
) -> None:
    registry = opened(postgres.database())
    acknowledged: dict[int, str] = {}
    errors: list[Exception] = []
    enough = threading.Event()

    def write() -> None:
        for text in texts("a"):
            try:
                revision, _ = registry.point(*SHARED, put(registry, text))
            except RegistryUnavailable as error:
                errors.append(error)
                return
            acknowledged[revision.number] = revision.recipe_id
            if len(acknowledged) == 30:
                enough.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert enough.wait(60)
    end(postgres)
    try:
        thread.join(60)
        assert len(errors) == 1
    finally:
        postgres.start()
    check(registry, acknowledged)
    assert registry.point(*SHARED, put(registry, b"after"))[0].number == len(acknowledged) + 1
