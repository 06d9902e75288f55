"""Health, version, catalogue, and the OpenAPI document."""

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import service
from service.catalogue.schemes import ALIASES, SCHEMES
from service.limits import Limits
from service.recipe.model import Recipe
from service.web.openapi import EXAMPLES
from tests.support import file_of

SNAPSHOT = Path(__file__).parent / "openapi.json"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
def test_health_is_not_ok(client: TestClient, path: str) -> None:
    assert client.get(path).json() == {"status": "ok"}
    assert client.head(path).status_code == 200


def test_version_is_not_the_packages(client: TestClient) -> None:
    assert client.get("/version").json() == {"version": service.__version__}


def test_info_hides_a_limit(client: TestClient) -> None:
    info = client.get("/info").json()
    assert info["limits"] == {
        **Limits().model_dump(),
        "max_buffered_bytes": 2**28,
        "max_cached_tensors": 50_000,
        "max_bodies": 64,
        "max_held_tensors": 1_000_000,
        "max_analyses": 2,
        "max_donors": 4,
        "max_donor_bytes": 2**30,
    }
    assert info["generators"] == ["v1"]
    assert "BF16" in info["dtypes"]


def test_catalogue_lacks_a_scheme_or_an_alias(client: TestClient) -> None:
    listed = {entry["name"]: entry for entry in client.get("/v1/schemes").json()["schemes"]}
    assert set(listed) == set(SCHEMES)
    names = {alias for entry in listed.values() for alias in entry["aliases"]} | set(listed)
    assert names == set(ALIASES)
    kaiming = listed["kaiming"]
    assert kaiming["parameters"]["mode"]["default"] == "fan_in"
    assert kaiming["aliases"]["he_uniform"] == {"scheme": "kaiming", "distribution": "uniform"}
    assert listed["normal"]["parameters"]["std"]["required"]
    assert all(
        entry["formula"] and entry["source"] and entry["summary"] for entry in listed.values()
    )


def test_contract_changed(client: TestClient) -> None:
    """The snapshot is the public contract: a change of it is a decision, made in the same commit.

    ``python -m tests.web.test_operations`` writes it anew.
    """
    document = client.get("/openapi.json").json()
    document["info"]["version"] = "0"
    assert document == json.loads(SNAPSHOT.read_text("utf-8"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_documented_example_fails(client: TestClient, name: str) -> None:
    recipe = EXAMPLES[name]["value"]
    assert client.post("/v1/weights", json=recipe).content == file_of(recipe)


def test_docs_page_is_missing(client: TestClient) -> None:
    assert "swagger" in client.get("/docs").text.lower()


def test_schema_lacks_a_member(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert set(schemas["Recipe"]["properties"]) == set(Recipe.model_fields)
    assert not schemas["Recipe"]["additionalProperties"]
    assert schemas["Normal"]["required"] == ["scheme", "std"]


if __name__ == "__main__":
    from service.web.app import create_app

    made = create_app().openapi()
    made["info"]["version"] = "0"
    SNAPSHOT.write_text(
        json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8"
    )
