"""What is kept planned, and what goes on without the registry."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import service
from service.checkpoint.files import Cut
from service.errors import InvalidRecipe, RegistryUnavailable
from service.recipe.link import link_of
from service.settings import Settings
from service.web.shared import library as module
from service.web.shared import registry
from service.web.shared.library import Address, Library
from service.web.shared.planning import Planning
from tests.support import file_of, recipe_of, tensor
from tests.web.problems import problem_of

RECIPE = recipe_of(tensor(shape=[100, 10]), tensor(name="b", shape=[10]), seed=3)
WEIGHTS = "model.safetensors"


class Away:
    """A registry whose database is away, or answers to nobody until it is let go."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*_: object, **__: object) -> None:
            raise RegistryUnavailable("the database does not answer: it refuses connections")

        return call

    def close(self) -> None:
        pass


@pytest.fixture
def away(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    called = client.app.state.shared.registry  # type: ignore[attr-defined]
    return lambda: monkeypatch.setattr(called, "blocking", Away())


def test_weights_or_link_need_the_registry(client: TestClient, away: Callable[[], None]) -> None:
    away()
    expected = file_of(RECIPE)
    assert client.post("/v1/weights", json=RECIPE).content == expected
    assert client.post("/v1/plan", json=RECIPE).status_code == 200
    link = f"/v1/r/{link_of(service.parse(RECIPE))}"
    assert client.get(link).content == expected
    assert client.get(f"{link}/{WEIGHTS}", headers={"Range": "bytes=-9"}).content == expected[-9:]
    assert client.get(f"{link}/manifest.json").json()["files"][0]["bytes"] == len(expected)
    assert client.get("/livez").status_code == 200


def test_registry_that_is_away_is_a_defect(client: TestClient, away: Callable[[], None]) -> None:
    recipe_id = client.post("/v1/recipes", json=RECIPE).json()["recipe_id"]
    client.put("/v1/names/a/b", json={"recipe_id": recipe_id})
    commit = client.head(f"/a/b/resolve/main/{WEIGHTS}").headers["X-Repo-Commit"]
    assert client.get(f"/a/b/resolve/{commit}/{WEIGHTS}").status_code == 200
    away()
    for answer in (
        client.post("/v1/recipes", json=RECIPE),
        client.get(f"/v1/recipes/{'0' * 64}"),
        client.put("/v1/names/a/b", json={"recipe_id": recipe_id}),
        client.get("/v1/names/a/b"),
        client.get("/v1/names"),
        client.get("/a/b/resolve/main/config.json"),
        client.get("/api/models/a/b"),
    ):
        assert problem_of(answer)["status"] == 503
        assert int(answer.headers["Retry-After"]) > 0
    # What is planned needs nobody: downloads of an id or a commit that began go on.
    for path in (f"/v1/recipes/{recipe_id}/{WEIGHTS}", f"/a/b/resolve/{commit}/{WEIGHTS}"):
        assert client.get(path).content == file_of(RECIPE)
    assert client.get(f"/v1/recipes/{recipe_id}/manifest.json").status_code == 200


def test_database_that_never_answers_holds_up_others(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    shared = client.app.state.shared  # type: ignore[attr-defined]
    monkeypatch.setattr(registry, "_TIMEOUT", 0.05)
    monkeypatch.setattr(shared.registry.blocking, "recipe", lambda _: release.wait(60))
    try:
        for _ in range(2 * registry._CALLS):
            answer = client.get(f"/v1/recipes/{'0' * 64}")
            assert problem_of(answer)["status"] == 503
        assert client.post("/v1/weights", json=RECIPE).content == file_of(RECIPE)
    finally:
        release.set()


def library_of(**settings: Any) -> Library:
    made = Settings(**settings)
    return Library(made, Planning(1))


async def text() -> bytes:
    return service.parse(RECIPE).canonical


def test_same_recipe_is_planned_for_each_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(*arguments: Any) -> service.Plan:
        calls.append(1)
        return service.compile(*arguments)

    monkeypatch.setattr(module, "compile", counted)

    async def ask() -> None:
        library = library_of(data_dir=str(tmp_path))
        found = await asyncio.gather(*(library.find(Address("x"), text) for _ in range(9)))
        assert len(calls) == 1
        assert all(each is found[0] for each in found)
        await asyncio.gather(
            *(library.find(Address("x", Cut(rank=r, world=2)), text) for r in (0, 1, 0, 1))
        )
        assert len(calls) == 1

    asyncio.run(ask())


def test_client_that_leaves_takes_the_plan_with_it(tmp_path: Path) -> None:
    async def ask() -> None:
        library = library_of(data_dir=str(tmp_path))
        first = asyncio.ensure_future(library.find(Address("x"), text))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(library.find(Address("x"), text))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).whole.nbytes == len(file_of(RECIPE))

    asyncio.run(ask())


def test_plans_are_kept_without_end(tmp_path: Path) -> None:
    async def ask() -> None:
        library = library_of(data_dir=str(tmp_path), max_cached_tensors=5)  # two recipes of two
        for number in range(6):
            await library.find(Address(str(number)), text)
            assert len(library._cached) <= 3
        assert list(library._cached)[-1] == Address("5")

    asyncio.run(ask())


def test_recipe_that_fails_is_kept_as_failed(tmp_path: Path) -> None:
    texts = iter([b'{"seed": 1}', service.parse(RECIPE).canonical])

    async def each() -> bytes:
        return next(texts)

    async def ask() -> None:
        library = library_of(data_dir=str(tmp_path))
        with pytest.raises(InvalidRecipe):
            await library.find(Address("x"), each)
        assert (await library.find(Address("x"), each)).tensors == 2

    asyncio.run(ask())
