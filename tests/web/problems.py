"""The one way in which the tests read an error answer."""

import json
from typing import Any

import httpx2


def problem_of(response: httpx2.Response, status: int | None = None) -> dict[str, Any]:
    """Return a problem document, checked for everything that all of them promise."""
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) <= 16_000
    document: dict[str, Any] = response.json()
    assert set(document) <= {"type", "title", "status", "detail", "errors"}
    assert document["status"] == response.status_code == (status or response.status_code)
    assert document["title"]
    assert document["detail"]
    assert json.loads(response.content) == document
    errors = document.get("errors", [])
    assert len(errors) <= 20
    for error in errors:
        assert set(error) == {"pointer", "detail"}
        assert error["pointer"] == "" or error["pointer"].startswith("/")
    return document
