"""A client of the application in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.settings import Settings
from service.web.app import create_app


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    app = create_app(Settings(cors_origins=("https://lab.example",), data_dir=str(tmp_path)))
    with TestClient(app, raise_server_exceptions=False) as made:
        yield made
