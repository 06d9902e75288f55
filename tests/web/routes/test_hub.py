"""The Hub's routes by themselves; tests/hub has the clients."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support import file_of, recipe_of, tensor
from tests.web.problems import problem_of
from tools.live import LiveServer

WEIGHTS = "model.safetensors"


def recipe(seed: Any) -> dict[str, Any]:
    return recipe_of(tensor(shape=[100]), seed=seed)


@pytest.fixture
def named(client: TestClient) -> TestClient:
    for seed in (3, 4):
        recipe_id = client.post("/v1/recipes", json=recipe(seed)).json()["recipe_id"]
        client.put("/v1/names/acme/net", json={"recipe_id": recipe_id})
    return client


@pytest.mark.parametrize(
    ("revision", "seed"),
    [
        ("main", 4),
        ("HEAD", 4),
        ("r1", 3),
        ("r2", 4),
        ("seed-7", 7),
        ("seed-0", 0),
        ("r1-seed-7", 7),
        ("seed-4", 4),
        ("seed-18446744073709551615", 2**64 - 1),
    ],
)
def test_revision_is_another_seed(named: TestClient, revision: str, seed: int) -> None:
    answer = named.get(f"/acme/net/resolve/{revision}/{WEIGHTS}")
    assert answer.content == file_of(recipe(seed))
    assert answer.headers["Cache-Control"] == "no-cache"
    commit = answer.headers["X-Repo-Commit"]
    assert commit.endswith(f"{seed:016x}")
    pinned = named.get(f"/acme/net/resolve/{commit}/{WEIGHTS}")
    assert pinned.content == answer.content
    assert "immutable" in pinned.headers["Cache-Control"]
    assert pinned.headers["X-Repo-Commit"] == commit
    assert named.get(f"/api/models/acme/net/revision/{revision}").json()["sha"] == commit


def test_same_bytes_have_two_commits_or_other_bytes_one(named: TestClient) -> None:
    heads = {
        revision: named.head(f"/acme/net/resolve/{revision}/{WEIGHTS}").headers
        for revision in ("main", "r2", "seed-4", "seed-5")
    }
    commits = {revision: headers["X-Repo-Commit"] for revision, headers in heads.items()}
    assert len({commits[revision] for revision in ("main", "r2", "seed-4")}) == 1
    assert commits["seed-5"] != commits["main"]
    assert heads["seed-5"]["ETag"] != heads["main"]["ETag"]


def test_commit_means_something_else_once_the_name_moved(named: TestClient) -> None:
    commit = named.head(f"/acme/net/resolve/r1/{WEIGHTS}").headers["X-Repo-Commit"]
    recipe_id = named.post("/v1/recipes", json=recipe(9)).json()["recipe_id"]
    named.put("/v1/names/acme/net", json={"recipe_id": recipe_id})
    assert named.get(f"/acme/net/resolve/{commit}/{WEIGHTS}").content == file_of(recipe(3))
    assert named.get(f"/acme/net/resolve/main/{WEIGHTS}").content == file_of(recipe(9))


@pytest.mark.parametrize(
    "revision",
    [
        "r0",
        "r3",
        "r99999999999",
        "seed-18446744073709551616",
        "seed-007",
        "seed--1",
        "seed-",
        "r1-seed",
        "Main",
        "0" * 40,
        "A" * 40,
        "refs%2Fpr%2F1",
        "%00",
        "seed-7%0d%0aX-Evil: 1",
    ],
)
def test_revision_that_is_none_is_served(named: TestClient, revision: str) -> None:
    for path in (f"/acme/net/resolve/{revision}/x", f"/api/models/acme/net/tree/{revision}"):
        answer = named.get(path)
        assert problem_of(answer)["status"] == 404
        if "%2F" not in revision:
            assert answer.headers["X-Error-Code"] == "RevisionNotFound"


@pytest.mark.parametrize("path", ["manifest.json", "x", "../config.json", "%2e%2e%2fx", "a\\b", ""])
def test_file_that_is_none_is_served(named: TestClient, path: str) -> None:
    answer = named.get(f"/acme/net/resolve/main/{path}")
    assert problem_of(answer)["status"] == 404
    if "../" not in path:
        assert answer.headers["X-Error-Code"] == "EntryNotFound"
        assert len(answer.headers["X-Repo-Commit"]) == 40


def test_path_puts_a_header_into_an_answer(server: LiveServer) -> None:
    import http.client

    for name in ("b%0d%0aX-Evil:%201", "b%0aX-Evil:%201%0d%0a%0d%0abody", "b%00", "%e2%80%a8"):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("GET", f"/acme/{name}/resolve/main/x")
        answer = connection.getresponse()
        assert answer.status == 404
        assert answer.headers["X-Error-Code"] == "RepoNotFound"
        assert "X-Evil" not in answer.headers
        assert answer.read().startswith(b"{")
        connection.close()


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b'{"paths": ["recipe.json", "x", "recipe.json"]}', "application/json", 200),
        (b"paths=recipe.json&paths=x&expand=True", "application/x-www-form-urlencoded", 200),
        (b'{"paths": "recipe.json"}', "application/json", 200),
        (b'{"paths": [7]}', "application/json", 400),
        (b'{"paths": {}}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"null", "application/json", 400),
        (b"\xff", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"paths=x"] * 20_000), "application/x-www-form-urlencoded", 400),
    ],
    ids=range(9),
)
def test_paths_are_not_those_that_were_asked_for(
    named: TestClient, body: bytes, media_type: str, status: int
) -> None:
    answer = named.post(
        "/api/models/acme/net/paths-info/main", content=body, headers={"Content-Type": media_type}
    )
    assert answer.status_code == status
    if status == 200:
        (entry,) = answer.json()
        assert entry["path"] == "recipe.json"
        assert entry["size"] == len(named.get("/acme/net/raw/main/recipe.json").content)


def test_listing_differs_from_the_files(named: TestClient) -> None:
    for entry in named.get("/api/models/acme/net/tree/seed-7?recursive=true").json():
        head = named.head(f"/acme/net/resolve/seed-7/{entry['path']}").headers
        assert entry["size"] == int(head["X-Linked-Size"]) == int(head["Content-Length"])
        assert entry["oid"] == head["X-Linked-Etag"].strip('"') == head["ETag"].strip('"')
    described = named.get("/api/models/acme/net").json()
    assert [each["rfilename"] for each in described["siblings"]] == [WEIGHTS, "recipe.json"]
    assert described["safetensors"] == {"parameters": {"F32": 100}, "total": 100}
    assert named.get("/api/models/acme/net/tree/main/folder").headers["X-Error-Code"]
