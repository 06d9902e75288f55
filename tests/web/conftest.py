"""A client of the application in this process."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from service.settings import Settings
from service.web.app import create_app


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = create_app(Settings(cors_origins=("https://lab.example",)))
    with TestClient(app, raise_server_exceptions=False) as made:
        yield made
