"""Names over HTTP: what they mean, what they meant, and what cannot be one."""

from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from service.errors import RevisionConflict
from tests.support import recipe_of, tensor
from tests.web.problems import problem_of


def stored(client: TestClient, seed: int) -> str:
    answer = client.post("/v1/recipes", json=recipe_of(tensor(), seed=seed))
    assert answer.status_code in (200, 201)
    return str(answer.json()["recipe_id"])


def put(client: TestClient, name: str, recipe_id: str) -> httpx2.Response:
    answer: httpx2.Response = client.put(f"/v1/names/{name}", json={"recipe_id": recipe_id})
    return answer


def test_earlier_revision_is_lost(client: TestClient) -> None:
    ids = [stored(client, seed) for seed in range(5)]
    answers = [put(client, "acme/net", i) for i in [*ids, ids[-1]]]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200, 200]
    assert [answer.json()["revision"] for answer in answers] == [1, 2, 3, 4, 5, 5]
    latest = client.get("/v1/names/acme/net").json()
    assert (latest["recipe_id"], latest["revision"]) == (ids[4], 5)
    seen: list[str] = []
    before: Any = ""
    while before is not None:
        query = f"?limit=2{before and f'&before={before}'}"
        page = client.get(f"/v1/names/acme/net/revisions{query}").json()
        seen += [each["recipe_id"] for each in page["revisions"]]
        before = page["next"]
    assert seen == ids[::-1]


def test_page_of_names_repeats_or_leaves_out_one(client: TestClient) -> None:
    given = ["a/z", "acme/B", "acme/a", "acme/b", "acme.x/q", "b/a"]
    for name in given:
        put(client, name, stored(client, 1))
    for namespace in ("", "acme"):
        seen: list[str] = []
        after: Any = ""
        while after is not None:
            query = {"limit": 2} | ({"after": after} if after else {})
            query |= {"namespace": namespace} if namespace else {}
            page = client.get("/v1/names", params=query).json()
            seen += [f"{each['namespace']}/{each['name']}" for each in page["names"]]
            after = page["next"]
        wanted = [name for name in given if not namespace or name.startswith(f"{namespace}/")]
        assert seen == sorted(wanted, key=lambda name: name.split("/"))


def test_name_without_a_recipe_is_taken(client: TestClient) -> None:
    answer = put(client, "acme/net", "0" * 64)
    assert problem_of(answer)["status"] == 404
    assert problem_of(client.get("/v1/names/acme/net"))["status"] == 404


@pytest.mark.parametrize(
    "name",
    [
        "-a/b",
        "a/b.",
        "a/b..c",
        "a/b--c",
        "a/b.git",
        "v1/b",
        "api/b",
        "a/" + "b" * 97,
        "a/ö",
        "a/b c",
    ],
)
def test_name_that_clients_would_not_pass_on_is_taken(client: TestClient, name: str) -> None:
    assert problem_of(put(client, name, stored(client, 1)))["status"] == 422
    assert client.get(f"/v1/names/{name}").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"recipe_id": 7}', 422),
        (b'{"recipe_id": "abc"}', 422),
        (b'{"recipe_id": "' + b"A" * 64 + b'"}', 422),
        (b"{}", 422),
        (b'{"recipe_id": "' + b"0" * 64 + b'", "extra": 1}', 422),
        (b'{"recipe_id": "' + b"0" * 64 + b'", "recipe_id": "' + b"1" * 64 + b'"}', 400),
        (b"[" * 100, 400),
        (b'{"recipe_id": NaN}', 400),
        (b"\xff\xfe", 400),
    ],
)
def test_pointer_that_is_none_moves_a_name(client: TestClient, body: bytes, status: int) -> None:
    answer = client.put(
        "/v1/names/acme/net", content=body, headers={"Content-Type": "application/json"}
    )
    assert problem_of(answer)["status"] == status
    assert client.get("/v1/names/acme/net").status_code == 404


def test_lost_race_is_not_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object) -> None:
        raise RevisionConflict("acme/net has a revision 2 by another writer: read it, try again")

    monkeypatch.setattr(client.app.state.shared.registry.blocking, "point", late)  # type: ignore[attr-defined]
    answer = put(client, "acme/net", stored(client, 1))
    assert problem_of(answer)["status"] == 409


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "before=0"])
def test_page_of_no_size_is_given(client: TestClient, query: str) -> None:
    put(client, "acme/net", stored(client, 1))
    assert problem_of(client.get(f"/v1/names/acme/net/revisions?{query}"))["status"] == 422
