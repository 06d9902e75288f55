"""Stored recipes, recipes in links, and the cuts that their addresses ask for."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

import service
from service.settings import Settings
from service.web.app import create_app
from tests.support import file_of, recipe_of, tensor
from tests.web.problems import problem_of

RECIPE = recipe_of(
    *(tensor(shape=[50, 10], name=f"{layer}.w") for layer in "abc"),
    tensor("ones", [3], "a.b", dtype="F64"),
    seed=3,
)
PARSED = service.parse(RECIPE)
WHOLE = file_of(RECIPE)
WEIGHTS = "model.safetensors"
MODEL = {"seed": 1, "dtype": "BF16", "model": {"preset": "t5-small"}}


@pytest.fixture
def base(client: TestClient) -> str:
    """Where the recipe is, once it is stored."""
    return f"/v1/recipes/{client.post('/v1/recipes', json=RECIPE).json()['recipe_id']}"


def tensors_of(body: bytes) -> dict[str, Any]:
    start = 8 + int.from_bytes(body[:8], "little")
    header = json.loads(body[8:start])
    header.pop("__metadata__", None)
    places = {name: entry["data_offsets"] for name, entry in header.items()}
    return {name: body[start + a : start + b] for name, (a, b) in places.items()}


def test_same_recipe_is_stored_twice_or_under_another_id(client: TestClient) -> None:
    first = client.post("/v1/recipes", json=RECIPE)
    assert first.status_code == 201
    assert first.json()["recipe_id"] == PARSED.recipe_id
    assert first.json()["total_bytes"] == len(WHOLE)
    assert first.headers["location"] == f"/v1/recipes/{PARSED.recipe_id}"
    spelt = RECIPE | {"seed": "3", "dtype": "F32", "generator": "v1", "rules": []}
    again = client.post("/v1/recipes", json=spelt)
    assert (again.status_code, again.json()) == (200, first.json())
    stored = client.get(first.headers["location"])
    assert stored.content == PARSED.canonical
    assert stored.headers["content-type"] == "application/json"


def test_refused_recipe_is_stored(client: TestClient) -> None:
    for recipe in (recipe_of(tensor("nonsense")), recipe_of(tensor(), include=["x"])):
        problem_of(client.post("/v1/recipes", json=recipe), 422)
    problem_of(client.post("/v1/recipes", content=b"{"), 415)
    assert client.get(f"/v1/recipes/{'0' * 64}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "0" * 64,
        f"{'0' * 64}/{WEIGHTS}",
        PARSED.recipe_id[:-1],
        PARSED.recipe_id.upper(),
        f"{PARSED.recipe_id}/nothing.safetensors",
        f"{PARSED.recipe_id}/config.json",
        f"{PARSED.recipe_id}/model-00001-of-00001.safetensors",
        f"{PARSED.recipe_id}/%2e%2e/%2e%2e/etc/passwd",
        f"{PARSED.recipe_id}/..%2f..%2fetc%2fpasswd",
        f"{PARSED.recipe_id}/..%5cboot.ini",
        f"{PARSED.recipe_id}/%00",
        f"{PARSED.recipe_id}/",
    ],
)
def test_what_is_not_there_is_answered(client: TestClient, base: str, path: str) -> None:
    problem_of(client.get(f"/v1/recipes/{path}"), 404)
    assert client.head(f"/v1/recipes/{path}").status_code == 404


def test_missing_file_is_refused_without_a_remedy(client: TestClient, base: str) -> None:
    detail = problem_of(client.get(f"{base}/weights.bin"), 404)["detail"]
    assert "model.safetensors, recipe.json, manifest.json" in detail


def test_link_holds_other_files(client: TestClient, base: str) -> None:
    link = client.post("/v1/recipes", json=RECIPE).json()["url"]
    assert client.get(link).content == WHOLE
    for name in (WEIGHTS, "recipe.json", "manifest.json"):
        assert client.get(f"{link}/{name}").content == client.get(f"{base}/{name}").content
    problem_of(client.get(f"{link}/config.json"), 404)
    problem_of(client.get(f"{link[:-9]}"), 404)
    problem_of(client.get("/v1/r/%2e%2e/recipe.json"), 404)


def test_model_has_another_config_by_link(client: TestClient) -> None:
    about = client.post("/v1/recipes", json=MODEL).json()
    config = client.get(f"/v1/recipes/{about['recipe_id']}/config.json")
    assert config.json()["dtype"] == "bfloat16"
    assert client.get(f"{about['url']}/config.json").content == config.content


def test_cut_is_not_the_cut_of_the_whole(client: TestClient, base: str) -> None:
    whole = tensors_of(WHOLE)
    some = client.get(f"{base}/{WEIGHTS}?include=a.*&include=c.w").content
    assert tensors_of(some) == {name: whole[name] for name in ("a.b", "a.w", "c.w")}
    ranks = [client.get(f"{base}/{WEIGHTS}?rank={r}&world=3").content for r in range(3)]
    assert [n for part in ranks for n in tensors_of(part)] == list(whole)
    assert {n: b for part in ranks for n, b in tensors_of(part).items()} == whole
    posted = client.post("/v1/weights?rank=1&world=3", json=RECIPE)
    assert posted.content == ranks[1]
    index = client.get(f"{base}/{WEIGHTS}.index.json?shard_size=2kB").json()
    shards = {name: client.get(f"{base}/{name}?shard_size=2kB") for name in index["weight_map"]}
    assert all(answer.status_code == 404 for answer in shards.values())  # those are tensors
    for name, file in index["weight_map"].items():
        shard = client.get(f"{base}/{file}?shard_size=2kB")
        assert tensors_of(shard.content)[name] == whole[name]


def test_cut_has_the_tag_of_the_whole(client: TestClient, base: str) -> None:
    queries = ["", "?include=a.w", "?include=b.w", "?rank=0&world=2", "?rank=1&world=2"]
    tags = {client.head(f"{base}/{WEIGHTS}{query}").headers["etag"] for query in queries}
    assert len(tags) == len(queries)


@pytest.mark.parametrize(
    "query",
    [
        "include=x",
        "rank=1",
        "world=2",
        "rank=2&world=2",
        "rank=-1&world=2",
        "rank=0&world=0",
        "rank=a&world=2",
        "shard_size=0",
        "shard_size=51GB",
        "shard_size=large",
        "shardsize=5GB",
    ],
)
def test_cut_that_means_nothing_is_made(client: TestClient, base: str, query: str) -> None:
    problem_of(client.get(f"{base}/{WEIGHTS}?{query}"), 422)
    assert client.head(f"{base}/{WEIGHTS}?{query}").status_code == 422


def test_stored_recipe_passes_a_limit_that_was_lowered(client: TestClient, base: str) -> None:
    folder = client.app.state.shared.settings.data_dir  # type: ignore[attr-defined]
    with TestClient(create_app(Settings(data_dir=folder, max_tensors=3))) as strict:
        errors = problem_of(strict.get(f"{base}/{WEIGHTS}"), 422)["errors"]
    assert "max_tensors" in errors[0]["detail"]
