"""Files over HTTP: what HEAD costs, parts, conditions, and how long answers may be kept."""

import base64
import hashlib
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.stream.pipeline import Pipeline
from tests.support import file_of, recipe_of, tensor
from tests.web.problems import problem_of

RECIPE = recipe_of(tensor(shape=[400, 30]), tensor("ones", [9], "ones", dtype="F16"), seed=5)
WHOLE = file_of(RECIPE)


@pytest.fixture
def url(client: TestClient) -> str:
    """Where the weights are."""
    recipe_id = client.post("/v1/recipes", json=RECIPE).json()["recipe_id"]
    client.put("/v1/names/a/b", json={"recipe_id": recipe_id})
    return f"/v1/recipes/{recipe_id}/model.safetensors"


@pytest.fixture
def tag(client: TestClient, url: str) -> str:
    return str(client.head(url).headers["etag"])


def test_head_generates_or_differs_from_get(
    client: TestClient, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    got = client.get(url)
    assert got.content == WHOLE

    def compute(*_: Any) -> None:
        pytest.fail("HEAD generates")

    for name in ("chunks", "head", "fill", "submit"):
        monkeypatch.setattr(Pipeline, name, compute)
    for path in (url, "/a/b/resolve/main/model.safetensors"):
        head = client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) == len(WHOLE)
        assert head.headers["accept-ranges"] == "bytes"
        assert head.headers["etag"] == got.headers["etag"]
    visit = {"X-Request-Id": got.headers["x-request-id"]}
    assert client.head(url, headers=visit).headers == got.headers


def test_file_is_not_described_or_kept_as_it_may_be(client: TestClient, url: str) -> None:
    headers = client.get(url).headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"] == 'attachment; filename="model.safetensors"'
    assert headers["cache-control"] == "public, max-age=31536000, immutable, no-transform"
    assert headers["x-tensorseed-generator"] == "v1"
    assert "content-encoding" not in client.get(url, headers={"Accept-Encoding": "gzip"}).headers
    named = client.get("/a/b/resolve/main/model.safetensors")
    assert named.headers["cache-control"] == "no-cache"
    commit = named.headers["x-repo-commit"]
    fixed = client.get(f"/a/b/resolve/{commit}/model.safetensors")
    assert fixed.headers["cache-control"] == headers["cache-control"]


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("0-0", 0, 1),
        ("7-", 7, len(WHOLE)),
        ("-5", len(WHOLE) - 5, len(WHOLE)),
        ("9-999999", 9, None),
    ],
)
def test_part_is_another(
    client: TestClient, url: str, asked: str, start: int, stop: int | None
) -> None:
    stop = stop or len(WHOLE)
    answer = client.get(url, headers={"Range": f"bytes={asked}"})
    assert (answer.status_code, answer.content) == (206, WHOLE[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(WHOLE)}"
    assert int(answer.headers["content-length"]) == stop - start


def test_part_of_a_text_is_another(client: TestClient, url: str) -> None:
    text = url.replace("model.safetensors", "recipe.json")
    whole = client.get(text)
    part = client.get(text, headers={"Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, whole.content[3:10])
    digest = base64.b64encode(hashlib.sha256(whole.content).digest()).decode()
    assert whole.headers["repr-digest"] == part.headers["repr-digest"] == f"sha-256=:{digest}:"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-3", "bytes=x-", "lines=0-1", "bytes"])
def test_range_that_means_nothing_is_an_error(client: TestClient, url: str, asked: str) -> None:
    answer = client.get(url, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, WHOLE)


def test_range_behind_the_end_is_answered(client: TestClient, url: str) -> None:
    answer = client.get(url, headers={"Range": f"bytes={len(WHOLE)}-"})
    problem_of(answer, 416)
    assert answer.headers["content-range"] == f"bytes */{len(WHOLE)}"


def test_what_the_client_has_is_sent_again(client: TestClient, url: str, tag: str) -> None:
    for listed in (tag, f'W/{tag}, "other"', "*"):
        for method in ("GET", "HEAD"):
            answer = client.request(method, url, headers={"If-None-Match": listed})
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["etag"] == tag
            assert "cache-control" in answer.headers
    assert client.get(url, headers={"If-None-Match": '"other"'}).content == WHOLE


def test_other_version_is_continued(client: TestClient, url: str, tag: str) -> None:
    part = {"Range": "bytes=10-"}
    assert client.get(url, headers=part | {"If-Range": tag}).content == WHOLE[10:]
    for other in ('"other"', f"W/{tag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        answer = client.get(url, headers=part | {"If-Range": other})
        assert (answer.status_code, answer.content) == (200, WHOLE)
    problem_of(client.get(url, headers=part | {"If-Match": '"other"'}), 412)
    assert client.get(url, headers=part | {"If-Match": tag}).status_code == 206


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_method_that_files_lack_is_taken(client: TestClient, url: str, method: str) -> None:
    answer = client.request(method, url)
    problem_of(answer, 405)
    assert "GET" in answer.headers["allow"]
