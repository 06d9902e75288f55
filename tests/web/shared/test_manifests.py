"""manifest.json over HTTP: computed once, in the background where it is long, and then known."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import service
from service.checkpoint.manifest import digests
from service.settings import Settings
from service.web.app import create_app
from service.web.shared import manifests as module
from tests.support import file_of, recipe_of, tensor, wait_until
from tests.web.problems import problem_of

RECIPE = recipe_of(tensor(shape=[1000, 100]), tensor(name="b", shape=[10]), seed=3)
SHARDED = "?shard_size=1KB"


class Counted:
    """Stands before `digests`: counts its calls, and lets them go on when it is told to."""

    def __init__(self, *, open_: bool = True) -> None:
        self.calls = 0
        self.gate = threading.Event()
        if open_:
            self.gate.set()

    def __call__(self, plan: Any, pipeline: Any, advance: Any) -> Any:
        self.calls += 1
        advance(0)
        assert self.gate.wait(60)
        advance(0)
        return digests(plan, pipeline, advance)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    made = Counted()
    monkeypatch.setattr(module, "digests", made)
    yield made
    made.gate.set()


def manifest_of(client: TestClient) -> str:
    recipe_id = client.post("/v1/recipes", json=RECIPE).json()["recipe_id"]
    return f"/v1/recipes/{recipe_id}/manifest.json"


def repr_digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def test_manifest_is_not_that_of_the_file(client: TestClient, counted: Counted) -> None:
    path = manifest_of(client)
    (listed,) = client.get(path).json()["files"]
    body, arrays = file_of(RECIPE), service.generate(RECIPE)
    assert listed["sha256"] == hashlib.sha256(body).hexdigest()
    assert listed["bytes"] == len(body)
    for name, array in arrays.items():
        assert listed["tensors"][name]["sha256"] == hashlib.sha256(array.tobytes()).hexdigest()
        assert listed["tensors"][name]["shape"] == list(array.shape)


def test_manifest_is_computed_twice(client: TestClient, counted: Counted) -> None:
    path = manifest_of(client)
    answers = [client.get(path) for _ in range(3)]
    assert counted.calls == 1
    assert len({answer.content for answer in answers}) == 1
    tag = answers[0].headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert client.get(path, headers={"Range": "bytes=1-4"}).content == answers[0].content[1:5]


def test_digest_is_told_before_it_is_known_or_not_after(
    client: TestClient, counted: Counted
) -> None:
    manifest = manifest_of(client)
    file = manifest.replace("manifest.json", "model.safetensors")
    assert "Repr-Digest" not in client.head(file).headers
    client.get(manifest)
    for answer in (
        client.head(file),
        client.get(file),
        client.get(file, headers={"Range": "bytes=0-9"}),
    ):
        assert answer.headers["Repr-Digest"] == repr_digest(file_of(RECIPE))


def test_shards_have_other_digests_than_their_files(client: TestClient) -> None:
    path = manifest_of(client)
    listed = client.get(path + SHARDED).json()["files"]
    assert len(listed) == 2
    for entry in listed:
        answer = client.get(path.replace("manifest.json", entry["name"]) + SHARDED)
        assert entry["sha256"] == hashlib.sha256(answer.content).hexdigest()
        assert answer.headers["Repr-Digest"] == repr_digest(answer.content)


def test_other_replica_computes_it_again(tmp_path: Path, counted: Counted) -> None:
    settings = Settings(data_dir=str(tmp_path))
    with TestClient(create_app(settings)) as one, TestClient(create_app(settings)) as other:
        path = manifest_of(one)
        first = one.get(path)
        assert other.head(path).status_code == 200
        assert other.get(path).content == first.content
        assert counted.calls == 1


def test_head_computes_a_manifest(client: TestClient, counted: Counted) -> None:
    assert client.head(manifest_of(client)).status_code == 202
    assert counted.calls == 0


def test_long_manifest_holds_the_request_or_is_lost(
    client: TestClient, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT", 0.05)
    counted.gate.clear()
    path = manifest_of(client)
    for _ in range(2):
        answer = client.get(path)
        assert answer.status_code == 202
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.json() == {"status": "computing", "done": 0, "total": len(file_of(RECIPE))}
    counted.gate.set()
    assert wait_until(lambda: client.get(path).status_code == 200, 30)
    assert counted.calls == 1


def test_manifest_that_nobody_asks_for_is_computed_to_the_end(
    client: TestClient, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT", 0.05)
    counted.gate.clear()
    path = manifest_of(client)
    assert client.get(path).status_code == 202
    monkeypatch.setattr(module, "_ABANDONED_AFTER", -1.0)
    counted.gate.set()
    manifests = client.app.state.shared.manifests  # type: ignore[attr-defined]
    assert wait_until(lambda: client.get("/livez").status_code == 200 and not manifests._jobs, 30)
    assert client.head(path).status_code == 202
    monkeypatch.setattr(module, "_ABANDONED_AFTER", 60.0)
    assert wait_until(lambda: client.get(path).status_code == 200, 30)


def test_manifests_queue_without_end(
    client: TestClient, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT", 0.05)
    monkeypatch.setattr(module, "_MAX_JOBS", 1)
    counted.gate.clear()
    path = manifest_of(client)
    assert client.get(path).status_code == 202
    refused = client.get(path + SHARDED)
    assert problem_of(refused)["status"] == 429
    assert int(refused.headers["Retry-After"]) > 0
