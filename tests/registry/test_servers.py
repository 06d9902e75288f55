"""Real servers on a real database that becomes unavailable and returns."""

import json
import threading
import urllib.error
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.recipe import parse
from service.recipe.link import link_of
from tests.registry.postgres import Postgres
from tests.support import file_of, recipe_of, tensor
from tools.live import LiveServer, live_server

RECIPE = recipe_of(tensor(shape=[50, 60]), seed=11)
OTHER = recipe_of(tensor(shape=[50, 60]), seed=12)
LINK = f"/v1/r/{link_of(parse(RECIPE))}"


def status_of(call: Callable[[], object]) -> tuple[int, str | None]:
    """Return the status and Retry-After of a request that the server refuses."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        call()
    with refused.value as answer:
        return answer.code, answer.headers["Retry-After"]


def fetch(server: LiveServer, path: str) -> bytes:
    with server.opened(path) as response:
        return bytes(response.read())


def stored(server: LiveServer, recipe: object) -> str:
    with server.post("/v1/recipes", recipe) as response:
        return str(json.load(response)["recipe_id"])


@pytest.mark.parametrize(
    "away", [(Postgres.kill, Postgres.start), (Postgres.freeze, Postgres.thaw)]
)
def test_weights_notice_that_the_database_is_away(
    postgres: Postgres, away: tuple[Callable[[Postgres], None], Callable[[Postgres], None]]
) -> None:
    leave, return_ = away
    url = postgres.database()
    expected, stop = file_of(RECIPE), threading.Event()

    def keep_asking(server: LiveServer) -> int:
        answers = 0
        while not stop.is_set():
            with server.post("/v1/weights", RECIPE) as response:
                assert response.read() == expected
            assert fetch(server, LINK) == expected
            answers += 1
        return answers

    with (
        live_server(TENSORSEED_DATABASE_URL=url) as one,
        live_server(TENSORSEED_DATABASE_URL=url) as two,
        ThreadPoolExecutor(2) as pool,
    ):
        path = f"/v1/recipes/{stored(one, RECIPE)}/model.safetensors"
        assert fetch(two, path) == expected
        clients = [pool.submit(keep_asking, server) for server in (one, two)]
        leave(postgres)
        try:
            assert status_of(lambda: stored(one, OTHER)) == (503, "2")
            assert status_of(lambda: fetch(two, f"/v1/recipes/{'0' * 64}")) == (503, "2")
            assert fetch(two, path) == expected  # its plan is cached
            assert one.get("/livez") == {"status": "ok"}
        finally:
            stop.set()
            return_(postgres)
        assert all(client.result(60) > 0 for client in clients)
        assert fetch(two, f"/v1/recipes/{stored(one, OTHER)}/model.safetensors") == file_of(OTHER)
