"""Servers with repositories in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.support import LLAMA, NAMES, module_path, serving
from tools.live import LiveServer

SHARDED = {"acme/sharded": LLAMA | {"model": LLAMA["model"] | {"num_hidden_layers": 20}}}


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with serving(tmp_path_factory.mktemp("registry"), NAMES) as running:
        yield running


@pytest.fixture(scope="session")
def sharding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose shards are of 1 MB at most."""
    folder, module = tmp_path_factory.mktemp("registry"), ("tests.hub.small_shards", "serve")
    with serving(folder, SHARDED, module=module, PYTHONPATH=module_path()) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an empty cache, for all of a module's clients."""
    return tmp_path_factory.mktemp("home")
