"""``POST /v1/weights`` and ``/v1/plan``: headers, bodies, and every refusal."""

import json
import urllib.request
from typing import Any

import pytest
from fastapi.testclient import TestClient
from safetensors.numpy import load

import service
from service.settings import Settings
from service.web.app import create_app
from tests.support import file_of, plan_of, recipe_of, tensor
from tests.web.problems import problem_of
from tools.live import live_server

RECIPE = recipe_of(tensor(shape=[64, 64]), tensor("zeros", [64], "b", dtype="BF16"))
JSON = {"Content-Type": "application/json"}
ROUTES = ["/v1/weights", "/v1/plan"]


def test_body_or_headers_are_not_the_plans(client: TestClient) -> None:
    response = client.post("/v1/weights", json=RECIPE)
    plan = plan_of(RECIPE)
    assert response.status_code == 200
    assert response.content == file_of(RECIPE)
    assert response.headers["content-length"] == str(plan.nbytes)
    assert response.headers["etag"] == plan.etag
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"] == 'attachment; filename="model.safetensors"'
    assert response.headers["x-tensorseed-generator"] == "v1"


def test_part_of_a_recipe_is_not_that_of_its_file(client: TestClient) -> None:
    """One rank's share needs no registry: every rank POSTs the recipe."""
    recipe = recipe_of(*(tensor(shape=[10, n], name=f"w{n}") for n in range(1, 9)))
    whole = load(client.post("/v1/weights", json=recipe).content)
    found: dict[str, Any] = {}
    for rank in range(3):
        answer = client.post(f"/v1/weights?rank={rank}&world=3", json=recipe)
        assert answer.headers["etag"] != plan_of(recipe).etag
        found |= load(answer.content)
    assert {n: a.tobytes() for n, a in found.items()} == {n: a.tobytes() for n, a in whole.items()}
    some = load(client.post("/v1/weights?include=w1&include=*7", json=recipe).content)
    assert set(some) == {"w1", "w7"}


@pytest.mark.parametrize(
    "query", ["rank=1", "world=2", "rank=2&world=2", "rank=-1&world=2", "include=x", "shard_size=9"]
)
def test_part_that_cannot_be_is_the_whole(client: TestClient, query: str) -> None:
    assert problem_of(client.post(f"/v1/weights?{query}", json=RECIPE))["status"] == 422


def test_empty_tensors_only_make_no_body(client: TestClient) -> None:
    recipe = recipe_of(tensor("zeros", [0]))
    assert client.post("/v1/weights", json=recipe).content == file_of(recipe)


def test_plan_is_not_the_librarys(client: TestClient) -> None:
    response = client.post("/v1/plan", json=RECIPE)
    parsed = service.parse(RECIPE)
    expected = service.explain(parsed, service.compile(parsed))
    assert response.json() == json.loads(json.dumps(expected))
    assert response.json()["etag"] == client.post("/v1/weights", json=RECIPE).headers["etag"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({**JSON, "Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "Application/JSON; charset=utf-8"}, 200),
        ({**JSON, "Content-Encoding": "identity"}, 200),
    ],
    ids=str,
)
def test_media_type_is_ignored(
    client: TestClient, route: str, headers: dict[str, str], status: int
) -> None:
    response = client.post(route, content=json.dumps(RECIPE), headers=headers)
    assert response.status_code == status
    if status != 200:
        assert "Content-" in problem_of(response)["detail"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"", 400, "malformed-recipe"),
        (b'{"seed":', 400, "malformed-recipe"),
        (json.dumps(RECIPE).encode() + b"}", 400, "malformed-recipe"),
        (json.dumps(RECIPE).encode("utf-16"), 400, "malformed-recipe"),
        (b"\xef\xbb\xbf{}", 400, "malformed-recipe"),
        (b"[" * 5000, 400, "malformed-recipe"),
        (b'{"seed":NaN}', 400, "malformed-recipe"),
        (b'{"seed":1,"seed":1}', 400, "malformed-recipe"),
        (b'{"seed":' + b"9" * 5000 + b"}", 400, "malformed-recipe"),
        (b'{"seed":"\\ud800","tensors":[]}', 400, "malformed-recipe"),
        (b"{}", 422, "invalid-recipe"),
        (b"null", 422, "invalid-recipe"),
        (b'{"seed":1,"tensors":[]}', 422, "invalid-recipe"),
        (b'{"seed":1,"tensors":[{"name":"w","shape":[3],"init":"xavier"}]}', 422, "invalid-recipe"),
    ],
    ids=lambda value: value[:30] if isinstance(value, bytes) else None,
)
def test_bad_recipe_is_answered_otherwise(
    client: TestClient, route: str, body: bytes, status: int, kind: str
) -> None:
    response = client.post(route, content=body, headers=JSON)
    assert response.status_code == status
    document = problem_of(response)
    assert document["type"] == f"urn:tensorseed:problem:{kind}"
    assert bool(document.get("errors")) == (status == 422)


@pytest.mark.parametrize(
    "recipe",
    [
        recipe_of(*(tensor(shape=[-1] * 50, name=f"w{i}") for i in range(2000))),
        {"x" * 10**6: 1, **RECIPE},
        {f"é\u2028{'ü' * 5000}{i}": 1 for i in range(100)},
        recipe_of(*(tensor({"scheme": "é" * 9999}, name=f"w{i}") for i in range(100))),
        recipe_of(tensor(name="\u202e" * 10**5), tensor(name="\u0001" * 300)),
        recipe_of(
            tensor(), rules=[{"match": f"{i}" + "\u20ac" * 9999, "init": "ones"} for i in range(99)]
        ),
    ],
    ids=["many", "long key", "wide keys", "long scheme", "long name", "long pattern"],
)
def test_error_body_grows_with_the_input(client: TestClient, recipe: Any) -> None:
    response = client.post("/v1/weights", json=recipe)
    assert response.status_code == 422
    document = problem_of(response)
    assert document["errors"]
    assert all(len(error["pointer"]) < 1000 for error in document["errors"])


def test_body_over_the_limit_is_read() -> None:
    with TestClient(create_app(Settings(max_body_bytes=100))) as client:
        declared = client.post("/v1/weights", json=RECIPE)
        chunked = client.post("/v1/weights", content=iter([b"x" * 60] * 3), headers=JSON)
        for response in (declared, chunked):
            assert response.status_code == 413
            assert "max_body_bytes) is 100" in problem_of(response)["detail"]
            assert response.headers["connection"] == "close"
        assert client.post("/v1/weights", json=recipe_of(tensor())).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/v1/weights", 405, "POST"),
        ("DELETE", "/v1/plan", 405, "POST"),
        ("POST", "/v1/schemes", 405, "GET"),
        ("GET", "/v1/nothing", 404, None),
        ("GET", "/" + "x" * 5000, 404, None),
        ("GET", "/../../etc/passwd", 404, None),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404, None),
    ],
)
def test_framework_answers_without_a_problem_document(
    client: TestClient, method: str, path: str, status: int, allow: str | None
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    problem_of(response)
    assert response.headers.get("allow") == allow


def test_defect_shows_its_traceback(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("service.web.request.plan.parse", fail)
    response = client.post("/v1/weights", json=RECIPE)
    assert response.status_code == 500
    assert "secret" not in str(problem_of(response))


def test_other_origins_are_allowed(client: TestClient) -> None:
    preflight = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    ours = client.options("/v1/weights", headers={"Origin": "https://lab.example", **preflight})
    theirs = client.options("/v1/weights", headers={"Origin": "https://evil.example", **preflight})
    assert ours.headers["access-control-allow-origin"] == "https://lab.example"
    assert "access-control-allow-origin" not in theirs.headers
    answer = client.post("/v1/weights", json=RECIPE, headers={"Origin": "https://lab.example"})
    assert "ETag" in answer.headers["access-control-expose-headers"]


def test_root_path_is_ignored() -> None:
    with live_server("--root-path", "/seed") as server:
        with urllib.request.urlopen(server.url + "/openapi.json") as response:
            assert json.load(response)["servers"] == [{"url": "/seed"}]
        with server.post("/v1/weights", RECIPE) as response:
            assert response.read() == file_of(RECIPE)
