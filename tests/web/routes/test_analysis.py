"""The routes of the analysis: same responses as the library, errors, keys, and the quota."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from safetensors.numpy import save

from service.analysis import calibrate
from service.keys import create_key
from service.settings import Settings
from service.web.app import create_app
from service.web.routes import analysis
from tests.analysis.support import (
    LIMITS,
    PIPELINE,
    analysed,
    calibrated,
    conv,
    dense,
    recipe_of,
    request_of,
)
from tests.web.problems import problem_of

RECIPE = recipe_of(dense(3, 16))
ROUTES = ["/v1/analysis", "/v1/calibrate"]


def test_answer_is_not_the_librarys(client: TestClient) -> None:
    members = {"activation": "tanh", "compare": ["orthogonal"], "measure": {"batch": 4}}
    answer = client.post("/v1/analysis", json={"recipe": RECIPE, **members})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == analysed(RECIPE, **members)
    answer = client.post("/v1/calibrate", json={"recipe": RECIPE, "batch": 32})
    assert answer.json() == calibrated(RECIPE, batch=32)


def test_calibrated_recipe_is_refused_by_weights(client: TestClient) -> None:
    found = client.post("/v1/calibrate", json={"recipe": RECIPE}).json()["recipe"]
    assert client.post("/v1/weights", json=found).status_code == 200
    assert client.post("/v1/analysis", json={"recipe": found}).status_code == 200


def sent(batch: np.ndarray[Any, Any], /, **members: Any) -> dict[str, Any]:
    text = json.dumps({"recipe": RECIPE, **members})
    return {"request": ("r.json", text), "batch": ("b.safetensors", save({"x": batch}))}


def test_batch_that_is_sent_is_not_the_one_that_counts(client: TestClient) -> None:
    batch = np.random.default_rng(3).normal(2.0, 5.0, (48, 16))
    answer = client.post("/v1/calibrate", files=sent(batch))
    text = json.dumps({"recipe": RECIPE}).encode()
    assert answer.json() == calibrate(text, LIMITS, PIPELINE, batch)
    assert answer.json()["layers"][0]["std"] > 3  # the sent values have a mean, drawn ones do not


@pytest.mark.parametrize(
    ("batch", "members", "said"),
    [
        (np.ones((4, 15)), {}, "/batch: it has the shape [4, 15], but the chain takes [4, 16]"),
        (np.ones((4, 16)), {"batch": 4}, "/batch: it describes a drawn batch"),
        (np.ones((4, 16)), {"input": {}}, "/input: it describes a drawn batch"),
        (np.zeros((4, 16)), {}, "/recipe/layers/0: no gain gives fc1 outputs of variance 1"),
        (np.ones((4, 16), np.int32), {}, "'x', is I32: send floats"),
        (np.ones(16), {}, "has the shape [16]: send two or more axes"),
        (np.full((4, 16), np.nan), {}, "has values that are not finite"),
    ],
)
def test_batch_that_does_not_fit_is_taken(
    client: TestClient, batch: np.ndarray[Any, Any], members: dict[str, Any], said: str
) -> None:
    found = problem_of(client.post("/v1/calibrate", files=sent(batch, **members)), 422)
    assert said in found["detail"]


def test_form_of_other_parts_is_taken(client: TestClient) -> None:
    files = sent(np.ones((4, 16)))
    found = problem_of(client.post("/v1/calibrate", files={"request": files["request"]}), 422)
    assert "no batch came: send a form as curl -F request=@request.json" in found["detail"]
    two = {**files, "batch": ("b", save({"x": np.ones((4, 16)), "y": np.ones(2)}))}
    assert "holds 2" in problem_of(client.post("/v1/calibrate", files=two), 422)["detail"]
    problem_of(client.post("/v1/analysis", files=files), 415)


def test_name_that_is_not_ascii_is_lost(client: TestClient) -> None:
    layers = dense(1, 4)
    layers[0]["name"] = "schicht_ü_層"
    answer = client.post("/v1/analysis", json={"recipe": recipe_of(layers)})
    assert answer.json()["layers"][0]["name"] == layers[0]["name"]
    text = request_of(recipe_of(dense(1, 4))).replace(b"fc1", b"a\\ud800")
    headers = {"content-type": "application/json"}
    problem_of(client.post("/v1/analysis", content=text, headers=headers), 400)


@pytest.mark.parametrize("path", ROUTES)
def test_mistake_is_not_a_problem_at_its_place(client: TestClient, path: str) -> None:
    headers = {"content-type": "application/json"}
    problem_of(client.post(path, content=b"{", headers=headers), 400)
    problem_of(client.post(path, json={"recipe": RECIPE}, headers={"content-type": "x/y"}), 415)
    problem_of(client.get(path), 405)
    wrong = {"recipe": recipe_of(dense(2, 4, init="xaviar")), "activaton": "relu"}
    problem = problem_of(client.post(path, json=wrong), 422)
    assert [error["pointer"] for error in problem["errors"]] == [
        "/recipe/layers/0/init",
        "/recipe/layers/1/init",
    ] or [error["pointer"] for error in problem["errors"]] == ["/activaton"]
    problem = problem_of(client.post(path, json={"recipe": RECIPE, "activation": ["relu"]}), 422)
    assert problem["errors"][0]["pointer"] == "/activation"
    many = [{**layer, "in_features": 5} for layer in dense(40, 4)]
    assert len(problem_of(client.post(path, json={"recipe": recipe_of(many)}), 422)["errors"]) == 20


def test_question_that_is_too_long_is_read(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path), max_body_bytes=200, max_analysis_layers=2)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        problem_of(client.post("/v1/analysis", json={"recipe": RECIPE}), 413)
    settings = Settings(data_dir=str(tmp_path), max_analysis_layers=2)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        problem = problem_of(client.post("/v1/analysis", json={"recipe": RECIPE}), 422)
        assert "the limit (max_analysis_layers) is 2" in problem["detail"]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[TestClient, dict[str, str]]]:
    keys = {scope: create_key(scope, [scope]) for scope in ("generate", "read", "write")}
    (tmp_path / "keys").write_text("\n".join(entry for _, entry in keys.values()))
    settings = Settings(data_dir=str(tmp_path), keys_file=str(tmp_path / "keys"))
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client, {scope: key for scope, (key, _) in keys.items()}


@pytest.mark.parametrize("path", ROUTES)
def test_key_of_another_scope_opens_it(
    guarded: tuple[TestClient, dict[str, str]], path: str
) -> None:
    client, keys = guarded
    problem_of(client.post(path, json={"recipe": RECIPE}), 401)
    for scope, status in (("generate", 200), ("read", 403), ("write", 403)):
        headers = {"Authorization": f"Bearer {keys[scope]}"}
        answer = client.post(path, json={"recipe": RECIPE}, headers=headers)
        assert answer.status_code == status


def test_more_are_under_way_than_may_be_or_nothing_else_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the only slot taken, others wait and are refused, and succeed when it is free."""
    begun, ended = threading.Event(), threading.Event()

    def slow(*_: Any) -> dict[str, Any]:
        begun.set()
        assert ended.wait(30)
        return {"slow": True}

    monkeypatch.setattr(analysis, "analyse", slow)
    settings = Settings(data_dir=str(tmp_path), max_analyses=1, queue_timeout=0.05)

    async def run() -> None:
        app = create_app(settings)
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            question = {"recipe": RECIPE}
            first = asyncio.create_task(client.post("/v1/analysis", json=question))
            await asyncio.to_thread(begun.wait, 30)
            assert (await client.get("/livez")).status_code == 200
            refused = await client.post("/v1/calibrate", json=question)
            problem = problem_of(refused, 429)
            assert "max_analyses" in problem["detail"]
            assert int(refused.headers["retry-after"]) >= 1
            ended.set()
            assert (await first).json() == {"slow": True}
            assert (await client.post("/v1/calibrate", json=question)).status_code == 200

    asyncio.run(run())


def test_error_in_an_analysis_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=str(tmp_path), max_analyses=1, queue_timeout=0)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        for _ in range(3):
            assert client.post("/v1/analysis", json={"recipe": {}}).status_code == 422
        monkeypatch.setattr(analysis, "analyse", lambda *_: 1 / 0)
        problem_of(client.post("/v1/analysis", json={"recipe": RECIPE}), 500)
        assert client.post("/v1/calibrate", json={"recipe": RECIPE}).status_code == 200


def test_images_are_not_measured_over_http(client: TestClient) -> None:
    members = {"input": {"size": [5, 4]}, "measure": {"batch": 3}}
    answer = client.post("/v1/analysis", json={"recipe": recipe_of(conv(2, 4)), **members})
    assert len(answer.json()["curves"][0]["measured"]["ln_q"]) == 2
