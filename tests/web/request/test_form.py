"""Donors that are sent: what is answered, where they are kept, and that they are gone."""

import http.client
import json
import socket
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from safetensors.numpy import load, save

import service
from service.keys import create_key
from service.settings import Settings
from service.web.app import create_app
from tests.support import bytes_of, plan_of, recipe_of, tensor, wait_until
from tests.web.problems import problem_of
from tools.live import LiveServer, live_server

RECIPE = recipe_of(tensor(shape=[64, 64]), tensor("kaiming", [32, 64], "v", dtype="BF16"))
DONOR = save({"w": np.arange(4096, dtype=np.float64).reshape(64, 64), "x": np.ones(3, np.int8)})
MIB = 1 << 20


def form(recipe: Any = RECIPE, donor: bytes = DONOR) -> dict[str, Any]:
    text = recipe if isinstance(recipe, bytes) else json.dumps(recipe).encode()
    return {"recipe": ("r.json", text), "donor": ("d.safetensors", donor)}


def expected(folder: Path, recipe: Any = RECIPE, donor: bytes = DONOR) -> tuple[bytes, Any, str]:
    """Return the file, the plan's document and the tag that the library makes."""
    (folder / "donor").write_bytes(donor)
    with service.open_donor(folder / "donor") as held:
        plan = service.grown(plan_of(recipe), held)
        document = json.loads(json.dumps(service.explain(service.parse(recipe), plan)))
        return bytes_of(plan), document, plan.etag


def stored(server: LiveServer) -> list[str]:
    """Return the donors that a server has open: without a name, they take up disk all the same."""
    targets = []
    for descriptor in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            targets.append(str(descriptor.readlink()))
    return [target for target in targets if target.endswith(" (deleted)")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    kept = tmp_path / "kept"
    kept.mkdir()
    return kept


def test_answer_is_not_the_librarys(client: TestClient, folder: Path) -> None:
    body, document, etag = expected(folder)
    answer = client.post("/v1/weights", files=form())
    assert answer.content == body
    assert answer.headers["etag"] == etag != plan_of(RECIPE).etag
    assert (
        load(answer.content.replace(b'"BF16"', b'"F16" '))["w"].ravel() == np.arange(4096)
    ).all()
    assert client.post("/v1/plan", files=form()).json() == document


def test_recipe_that_is_no_file_is_refused(client: TestClient, folder: Path) -> None:
    """As pages in browsers and ``curl -F 'recipe={...}'`` send it."""
    given = {"recipe": json.dumps(RECIPE)}
    answer = client.post("/v1/weights", data=given, files={"donor": DONOR})
    assert answer.content == expected(folder)[0]


def test_part_of_a_grown_file_is_the_whole(client: TestClient) -> None:
    some = client.post("/v1/weights?include=w", files=form())
    assert set(load(some.content)) == {"w"}
    assert some.headers["etag"] != client.post("/v1/weights", files=form()).headers["etag"]


def test_donor_that_is_off_is_taken(tmp_path: Path) -> None:
    app = create_app(Settings(max_donor_bytes=0, data_dir=str(tmp_path)))
    with TestClient(app) as client:
        detail = problem_of(client.post("/v1/weights", files=form()), 415)["detail"]
    assert "max_donor_bytes is 0" in detail


def test_disk_that_takes_nothing_is_a_defect(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    app = create_app(Settings(data_dir=str(tmp_path / "file")))
    with TestClient(app) as client:
        answer = client.post("/v1/weights", files=form())
    assert "disk" in problem_of(answer, 503)["detail"]
    assert answer.headers["retry-after"]


def test_full_disk_is_a_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("service.container.donor.DonorFile.append", full)
    with TestClient(create_app(Settings(data_dir=str(tmp_path)))) as client:
        for _ in range(9):  # the place is given back
            problem_of(client.post("/v1/weights", files=form()), 503)


def test_key_for_something_else_opens_it(tmp_path: Path) -> None:
    (reader, entry), (maker, other) = create_key("r", ("read",)), create_key("g", ("generate",))
    app = create_app(Settings(keys=SecretStr(f"{entry};{other}"), data_dir=str(tmp_path)))
    with TestClient(app) as client:
        for key, status in ((reader, 403), (maker, 200), ("", 401)):
            answer = client.post("/v1/weights", files=form(), headers={"X-Api-Key": key})
            assert answer.status_code == status


def head(length: int) -> bytes:
    return (
        "POST /v1/weights HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def parts(recipe: Any, donor: bytes) -> bytes:
    made = b""
    for name, body in (("recipe", json.dumps(recipe).encode()), ("donor", donor)):
        made += b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n' % name.encode()
        made += body + b"\r\n"
    return made + b"--b--\r\n"


def post(server: LiveServer, body: bytes) -> Any:
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    request = urllib.request.Request(server.url + "/v1/weights", body, kind)
    return urllib.request.urlopen(request, timeout=120)


def refusal_of(server: LiveServer, body: bytes) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(server, body)
    caught.value.close()
    return caught.value.code


def sent(server: LiveServer, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    connection.sendall(data)
    return connection


def status_of(connection: socket.socket) -> int:
    response = http.client.HTTPResponse(connection)
    response.begin()
    response.read()
    connection.close()
    return response.status


def test_large_donor_is_held_in_memory(tmp_path: Path) -> None:
    """126 MB in, 210 MB out again, all of them cast: a file without a name, gone at the end."""
    shape = [20, 1 << 20]
    donor = save({"a": np.ones(shape, np.float32), "b": np.full((5, 1 << 22), 2.0, np.float16)})
    recipe = recipe_of(tensor(shape=shape, name="a", dtype="BF16"),
                       tensor(shape=[5, 1 << 22], name="b", dtype="F32"),
                       tensor(shape=shape, name="c"))  # fmt: skip
    body = parts(recipe, donor)
    assert len(body) > 120 * MIB
    with live_server() as server:
        post(server, parts(RECIPE, DONOR)).close()  # so that all is imported
        before, sizes, whole = server.rss, [], bytearray()
        with post(server, body) as response:
            sizes.append(server.rss)
            assert len(stored(server)) == 1
            while piece := response.read(4 * MIB):
                whole += piece
                sizes.append(server.rss)
        assert max(sizes) - before < 48 * MIB
        assert wait_until(lambda: not stored(server), 10)
    assert len(whole) == plan_of(recipe).nbytes
    assert whole == expected(tmp_path, recipe, donor)[0]


def test_donor_outlives_a_client_that_leaves() -> None:
    """While it sends, and while it reads; the place is given back as well."""
    big = recipe_of(tensor(shape=[64, 64]), tensor(shape=[1 << 30], name="vast"))
    with live_server("--max-donors", "1", "--queue-timeout", "0") as server:
        for _ in range(3):
            with sent(server, head(10**8) + parts(big, DONOR)[:-20]):
                assert wait_until(lambda: len(stored(server)) == 1, 10)
                assert refusal_of(server, parts(RECIPE, DONOR)) == 429
            assert wait_until(lambda: not stored(server), 10)
            body = parts(big, DONOR)
            with sent(server, head(len(body)) + body) as connection:
                assert connection.recv(1000).startswith(b"HTTP/1.1 200")
                assert len(stored(server)) == 1
            assert wait_until(lambda: not stored(server), 10)
        assert not [line for line in server.log if "Traceback" in line]
        with post(server, parts(RECIPE, DONOR)) as response:
            assert response.status == 200


def test_slow_donor_holds_its_place_for_ever() -> None:
    with live_server("--body-timeout", "0.3") as server:
        connection = sent(server, head(10**6) + parts(RECIPE, DONOR)[:-20])
        assert status_of(connection) == 408
        assert wait_until(lambda: not stored(server), 10)


def test_donor_that_goes_on_arriving_is_cut_off(tmp_path: Path) -> None:
    """What has come buys time: 20 MB, and a pause that is longer than body_timeout."""
    donor = save({"w": np.ones((64, 64), np.float32), "x": np.zeros(5 << 20, np.float32)})
    body = parts(RECIPE, donor)
    with (
        live_server("--body-timeout", "0.3") as server,
        sent(server, head(len(body)) + body[:-9]) as connection,
    ):
        assert not wait_until(lambda: server.process.poll() is not None, 1.0)
        connection.sendall(body[-9:])
        assert status_of(connection) == 200


def test_client_that_sends_all_first_never_sees_the_refusal() -> None:
    """What is refused is read away, as far as four times the limit."""
    flags = ("--max-donor-bytes", "10000000", "--max-donors", "1", "--queue-timeout", "0")
    with live_server(*flags) as server:
        for body, status in (
            (parts(RECIPE, bytes(9_000_000)), 422),
            (parts(RECIPE, bytes(11_000_000)), 413),
            (parts(RECIPE, bytes(30_000_000)), 413),
            (b" " * 9_000_000, 400),
            (b"--b\r\n\r\n" + bytes(9_000_000), 422),
        ):
            assert refusal_of(server, body) == status
        with sent(server, head(10**6) + parts(RECIPE, DONOR)[:-20]):
            assert wait_until(lambda: len(stored(server)) == 1, 10)
            assert refusal_of(server, parts(RECIPE, bytes(9_000_000))) == 429


def test_client_that_waits_for_leave_sends_all_the_same() -> None:
    """As curl does: it is refused before it has sent anything."""
    with live_server("--max-donor-bytes", "10000000") as server:
        waiting = head(10**8).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
        with sent(server, waiting) as connection:
            assert connection.recv(100).startswith(b"HTTP/1.1 413")
