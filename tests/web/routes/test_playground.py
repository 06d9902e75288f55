"""The playground's page over HTTP: what it is made of, and what it may load."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.keys import create_key
from service.settings import Settings
from service.web.app import create_app
from service.web.routes.playground import files
from tests.support import ROOT
from tests.web.problems import problem_of

STATIC = ROOT / "service/web/static"
NAMES = sorted(path.name for path in STATIC.iterdir())
OURS = [name for name in NAMES if not name.startswith("uplot.")]
MODULES = [name for name in OURS if name.endswith(".js")]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def text_of(name: str) -> str:
    return (STATIC / name).read_text("utf-8")


def references(name: str) -> set[str]:
    """Names of the files that a file of the page loads or leads to."""
    if name.endswith(".html"):
        return set(re.findall(r'(?:src|href)="static/([^"]+)"', text_of(name)))
    if name.endswith(".js") and name in OURS:
        return set(re.findall(r'from "\./([^"]+)"', text_of(name)))
    return set()


def reached() -> set[str]:
    found, new = set(), {"index.html"}
    while new:
        found |= new
        new = set().union(*(references(name) for name in new)) - found
    return found


@pytest.fixture
def other(tmp_path: Path) -> Iterator[TestClient]:
    """A client of an application with a key, and without the page."""
    _, entry = create_key("ours", ["generate"])
    app = create_app(Settings(data_dir=str(tmp_path), keys=entry, playground=False))
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("path", ["/", *(f"/static/{name}" for name in NAMES)])
def test_file_of_the_page_is_not_what_it_should_be(client: TestClient, path: str) -> None:
    answer = client.get(path)
    name = path.rpartition("/")[2] or "index.html"
    assert answer.status_code == 200
    assert answer.content == (STATIC / name).read_bytes()
    kind = {"html": "text/html", "css": "text/css", "js": "text/javascript", "txt": "text/plain"}
    assert answer.headers["content-type"].startswith(
        kind.get(name.rpartition(".")[2], "image/svg+xml")
    )
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for header in ("etag", "content-length", "content-type"):
        assert head.headers[header] == answer.headers[header]


def test_page_that_has_not_changed_is_sent_again(client: TestClient) -> None:
    tags = {client.get(f"/static/{name}").headers["etag"] for name in NAMES}
    assert len(tags) == len(NAMES)
    assert all(re.fullmatch(r'"[0-9a-f]{64}"', tag) for tag in tags)
    tag = client.get("/").headers["etag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}"):
        again = client.get("/", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["content-security-policy"] == POLICY
    assert client.get("/", headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.get("/", headers={"If-Match": '"other"', "Range": "bytes=0-1"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/static/nothing.js", "/static/", "/static/..%2Fplayground.py", "/index.html"]
)
def test_file_that_is_none_of_the_page_is_served(client: TestClient, path: str) -> None:
    problem_of(client.get(path), 404)


def test_page_takes_another_method(client: TestClient) -> None:
    answer = client.post("/")
    problem_of(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD"


def test_page_is_large_or_a_file_of_it_is_not_needed() -> None:
    assert reached() == set(NAMES)
    assert sum((STATIC / name).stat().st_size for name in NAMES) < 300_000


def test_modules_are_long() -> None:
    lengths = [len(text_of(name).splitlines()) for name in MODULES]
    assert max(lengths) <= 350
    assert sorted(lengths)[len(lengths) // 2] <= 150


def test_page_has_what_its_policy_forbids() -> None:
    page = text_of("index.html")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
    assert all(" src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    for name in MODULES:
        assert not re.search(r"\beval\(|new Function|innerHTML|setAttribute\(.style", text_of(name))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "uplot.license.txt"])
def test_file_of_the_page_names_another_origin(name: str) -> None:
    text = re.sub(r"/\*!.*?\*/", "", text_of(name), flags=re.DOTALL)  # the vendored licence's
    others = set(re.findall(r"(?:[a-z]+:)?//[\w.-]+\.\w+", text))
    assert others <= {"http://www.w3.org"}  # the namespace of SVG: a name, not an address
    absolute = re.findall(r'(?:src|href|from|import|url)\s*[=(]?\s*["\']/', text)
    assert not absolute, "it breaks behind a path prefix"


def test_page_needs_a_key(tmp_path: Path) -> None:
    _, entry = create_key("ours", ["generate"])
    app = create_app(Settings(data_dir=str(tmp_path), keys=entry))
    with TestClient(app) as client:
        for path in ("/", "/static/main.js"):
            assert client.get(path).status_code == 200
            assert client.head(path).status_code == 200
        assert client.get("/static/nothing.js").status_code == 404
        for path in ("/static/name/resolve/main/model.safetensors", "/static/a/b", "/v1/schemes"):
            problem_of(client.get(path), 401)


def test_page_is_there_though_it_is_turned_off(other: TestClient) -> None:
    for path in ("/", "/static/main.js"):
        assert other.get(path).status_code == 404
    assert other.get("/livez").status_code == 200


def test_page_is_part_of_the_api(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert not [path for path in paths if path == "/" or path.startswith("/static")]


def test_wheel_lacks_a_file_of_the_page() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["service"]
    packed = {path for pattern in patterns for path in (ROOT / "service").glob(pattern)}
    assert set(STATIC.iterdir()) <= packed
    assert set(files()) == set(NAMES)
