"""Keys over HTTP: what each scope opens, and what stays open."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.keys import SCOPES, create_key
from service.settings import Settings
from service.web.app import create_app
from service.web.middleware.authorization import OPEN
from tests.support import file_of, recipe_of, tensor
from tests.web.problems import problem_of

RECIPE = recipe_of(tensor())
KEYS = {scope: create_key(scope, [scope]) for scope in SCOPES} | {"all": create_key("all", SCOPES)}


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[name][0]}"}


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "keys").write_text("\n".join(["# ours", *(e for _, e in KEYS.values())]))
    settings = Settings(
        data_dir=str(tmp_path),
        keys_file=str(tmp_path / "keys"),
        cors_origins=("https://lab.example",),
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as made_client:
        yield made_client


@pytest.mark.parametrize("path", sorted(OPEN))
def test_operations_need_a_key(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/weights"),
        ("POST", "/v1/plan"),
        ("POST", "/v1/recipes"),
        ("GET", "/v1/schemes"),
        ("GET", "/v1/names"),
        ("PUT", "/v1/names/a/b"),
        ("HEAD", "/v1/recipes/x/model.safetensors"),
        ("GET", "/v1/r/x"),
        ("GET", "/a/b/resolve/main/model.safetensors"),
        ("POST", "/api/models/a/b/paths-info/main"),
        ("DELETE", "/v1/names/a/b"),
        ("GET", "/nothing"),
        ("GET", "/livez/../v1/schemes"),
        ("GET", "/%2Flivez"),
        ("GET", "/livez/"),
    ],
)
def test_request_without_a_key_is_answered(guarded: TestClient, method: str, path: str) -> None:
    wrong = {"Authorization": f"Bearer {KEYS['all'][0][:-1]}"}
    for headers in ({}, wrong, {"Authorization": KEYS["all"][0]}, {"X-Api-Key": KEYS["all"][1]}):
        answer = guarded.request(method, path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="tensorseed"'
        if method != "HEAD":
            problem_of(answer, 401)


def test_key_opens_more_or_less_than_its_scope(guarded: TestClient) -> None:
    stored = guarded.post("/v1/recipes", json=RECIPE, headers=bearer("write"))
    assert stored.status_code == 201
    recipe_id = stored.json()["recipe_id"]
    pointer = {"recipe_id": recipe_id}
    assert guarded.put("/v1/names/a/b", json=pointer, headers=bearer("write")).status_code == 201
    calls: dict[str, list[tuple[str, str, Any]]] = {
        "generate": [("POST", "/v1/weights", RECIPE), ("POST", "/v1/plan", RECIPE)],
        "write": [("POST", "/v1/recipes", RECIPE), ("PUT", "/v1/names/a/b", pointer)],
        "read": [
            ("GET", f"/v1/recipes/{recipe_id}/model.safetensors", None),
            ("GET", stored.json()["url"], None),
            ("GET", "/a/b/resolve/main/recipe.json", None),
            ("POST", "/api/models/a/b/paths-info/main", {"paths": ["recipe.json"]}),
            ("GET", "/v1/models", None),
        ],
    }
    for scope, listed in calls.items():
        for method, path, body in listed:
            for name in KEYS:
                answer = guarded.request(method, path, json=body, headers=bearer(name))
                if name in (scope, "all"):
                    assert answer.status_code == 200, (name, path)
                else:
                    assert scope in problem_of(answer, 403)["detail"]
    header = {"X-Api-Key": KEYS["generate"][0]}
    assert guarded.post("/v1/weights", json=RECIPE, headers=header).content == file_of(RECIPE)


def test_answer_behind_a_key_is_kept_by_others(guarded: TestClient) -> None:
    stored = guarded.post("/v1/recipes", json=RECIPE, headers=bearer("write")).json()
    for path in (f"/v1/recipes/{stored['recipe_id']}", stored["url"]):
        answer = guarded.get(path, headers=bearer("read"))
        assert answer.headers["cache-control"].startswith("private, max-age=")


def test_browser_cannot_ask_whether_it_may(guarded: TestClient) -> None:
    asks = {
        "Origin": "https://lab.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    assert guarded.options("/v1/weights", headers=asks).status_code == 200
