"""A PostgreSQL server for all tests, and a registry in either database for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.registry import Registry
from tests.registry.postgres import NoPostgres, Postgres, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    try:
        with running_postgres() as server:
            yield server
    except NoPostgres as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/registry.sqlite"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def opened() -> Iterator[Callable[..., Registry]]:
    """Make registries that are closed when the test ends."""
    made: list[Registry] = []

    def open_one(url: str, wait: float = 5.0) -> Registry:
        made.append(Registry(url, wait=wait))
        return made[-1]

    yield open_one
    for each in made:
        each.close()


@pytest.fixture
def registry(url: str, opened: Callable[..., Registry]) -> Registry:
    return opened(url)
