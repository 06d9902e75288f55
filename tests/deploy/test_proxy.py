"""deploy/nginx.conf before real replicas: answers stay as they are; floods and slowness do not."""

import hashlib
import http.client
import json
import random
import select
import shutil
import socket
import ssl
import string
import subprocess
import urllib.request
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

import service
from service.recipe.link import MAX_LINK, link_of
from service.settings import Settings
from tests.deploy.proxy import NGINX, PATIENCE, Answer, Proxy, free_port, proxy
from tests.support import ROOT, file_of, recipe_of, tensor, wait_until
from tests.web.request.test_form import parts, stored
from tests.web.response.test_weights import MIB, connected, read_some, request_bytes
from tests.web.test_life import SMALL, VAST, count
from tools.live import LiveServer, live_server

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

RECIPE = recipe_of(tensor(shape=[1000, 1000]), seed=6)
OPENSSL = shutil.which("openssl")
OTHER = "127.0.0.2"
"""Another client's address."""


def problem_of(answer: Answer) -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(answer.body)
    assert found["status"] == answer.status
    return found


def is_cut(connection: socket.socket) -> bool:
    """Whether the other side ends a connection after what it may have sent before."""
    with suppress(ConnectionError):
        while connection.recv(MIB):
            pass
    return True


def status_of(connection: socket.socket, request: bytes) -> int:
    """Return the status of the answer to a request, which may come before all of it was sent."""
    with suppress(ConnectionError):
        connection.sendall(request)
    return int(connection.recv(65536).split(b" ")[1])


def started(front: Proxy, recipe: Any, source: str = "127.0.0.1") -> socket.socket:
    """Return a connection over which a body has begun to arrive."""
    connection = front.connect(source)
    connection.sendall(request_bytes(recipe))
    read_some(connection, 1)
    return connection


def test_proxy_changes_an_answer(tmp_path: Path) -> None:
    """Two replicas on one registry behind one port: what one stores both serve, whole and cut."""
    data = str(tmp_path / "data")
    with (
        live_server(TENSORSEED_DATA_DIR=data) as one,
        live_server(TENSORSEED_DATA_DIR=data) as other,
        proxy(tmp_path, [one, other]) as front,
    ):
        stored = json.loads(front.ask("/v1/recipes", RECIPE).body)
        file = f"/v1/recipes/{stored['recipe_id']}/model.safetensors"
        expected = file_of(RECIPE)
        for _ in range(4):  # turn by turn
            whole = front.ask(file)
            assert hashlib.sha256(whole.body).digest() == hashlib.sha256(expected).digest()
            part = front.ask(file, Range="bytes=1000001-3000000")
            assert (part.status, part.body) == (206, expected[1_000_001:3_000_001])
            assert part.headers["Content-Range"] == f"bytes 1000001-3000000/{len(expected)}"
            assert int(front.ask(file, method="HEAD").headers["Content-Length"]) == len(expected)
            etag = whole.headers["ETag"]
            assert front.ask(file, **{"If-None-Match": etag}).status == 304
            assert front.ask(file, Range=f"bytes={len(expected)}-").status == 416
        with one.opened(file) as direct:
            hops = {"date", "connection", "server", "x-request-id"}
            assert {k.lower(): v for k, v in whole.headers.items() if k.lower() not in hops} == {
                k.lower(): v for k, v in direct.headers.items() if k.lower() not in hops
            }
        one.process.kill()
        one.process.wait(30)
        for _ in range(4):  # a replica that died is passed over
            assert front.ask("/v1/weights", RECIPE).body == expected
            assert front.ask(file).body == expected
        missing = front.ask(f"/v1/recipes/{'0' * 64}/model.safetensors")
        assert (missing.status, problem_of(missing)["status"]) == (404, 404)
        other.process.kill()
        other.process.wait(30)
        none = front.ask(file)
        assert problem_of(none)["detail"] == "no replica responds; retry later"
        assert (none.status, none.headers["Retry-After"]) == (503, "2")


def test_503_of_a_replica_is_passed_on_while_another_knows(tmp_path: Path) -> None:
    """One cannot reach its registry: the other is asked, for POSTs too."""
    away = f"postgresql://tensorseed@127.0.0.1:{free_port()}/tensorseed"
    with (
        live_server(TENSORSEED_DATABASE_URL=away) as one,
        live_server() as other,
        proxy(tmp_path, [one, other]) as front,
    ):
        for seed in range(4):
            answer = front.ask("/v1/recipes", RECIPE | {"seed": seed})
            assert answer.status == 201
            assert front.ask(f"/v1/recipes/{json.loads(answer.body)['recipe_id']}").status == 200
        assert count(one, "tensorseed_registry_errors_total") >= 4


def test_replicas_are_shut_out_while_the_registry_is_away(tmp_path: Path) -> None:
    away = f"postgresql://tensorseed@127.0.0.1:{free_port()}/tensorseed"
    with (
        live_server(TENSORSEED_DATABASE_URL=away) as one,
        live_server(TENSORSEED_DATABASE_URL=away) as other,
        proxy(tmp_path, [one, other]) as front,
    ):
        for _ in range(3):
            refused = front.ask("/v1/recipes", RECIPE)
            assert problem_of(refused)["type"].endswith("registry-unavailable")
            assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
            assert front.ask("/v1/weights", SMALL).body == file_of(SMALL)


def test_429_of_a_replica_is_tried_elsewhere_or_loses_its_retry_after(tmp_path: Path) -> None:
    """One is full: who comes to it is told so. To ask all of them would add to the load."""
    full = ("--max-bodies", "1", "--queue-timeout", "0")
    with (
        live_server(*full) as one,
        live_server() as other,
        closing(connected(one, VAST, 1)[0]) as reading,
        proxy(tmp_path, [one, other]) as front,
    ):
        read_some(reading, 1)
        answers = [front.ask("/v1/weights", RECIPE) for _ in range(4)]  # turn by turn
        assert sorted(answer.status for answer in answers) == [200, 200, 429, 429]
        for refused in (answer for answer in answers if answer.status == 429):
            assert "max_bodies" in problem_of(refused)["detail"]
            assert refused.headers["Retry-After"].isdecimal()


def test_body_is_made_for_a_client_that_left(tmp_path: Path) -> None:
    with live_server() as replica, proxy(tmp_path, [replica]) as front:
        with started(front, VAST) as reading:
            read_some(reading, 64 * MIB)
            assert count(replica, "tensorseed_bodies_in_flight") == 1
        assert wait_until(lambda: count(replica, "tensorseed_bodies_in_flight") == 0, 10)


def test_reader_that_stalls_is_never_cut_or_its_body_kept(tmp_path: Path) -> None:
    changes = {"send_timeout 60s;": "send_timeout 1s;"}
    aborted = 'tensorseed_aborted_total{reason="client"}'
    with (
        live_server() as replica,
        proxy(tmp_path, [replica], changes) as front,
        started(front, VAST) as stalled,
    ):
        assert wait_until(lambda: count(replica, aborted) == 1, 20)
        assert is_cut(stalled)
        assert count(replica, "tensorseed_sent_bytes_total") < 64 * MIB  # nginx kept none of it


def test_client_says_whose_share_it_takes(tmp_path: Path) -> None:
    """The replica sees the client's address: not nginx's, and not what the client writes."""
    with (
        live_server(TENSORSEED_TRUSTED_PROXIES="*") as replica,  # as docker-compose.yml has it
        proxy(tmp_path, [replica]) as front,
    ):
        assert front.ask("/version", source=OTHER, **{"X-Forwarded-For": "192.0.2.1"}).status == 200
        assert wait_until(lambda: any('"/version"' in line for line in replica.log), 10)
        lines = [json.loads(line) for line in replica.log if '"/version"' in line]
        assert [line["client"] for line in lines] == [OTHER]


def test_slow_header_is_waited_for(server: LiveServer, tmp_path: Path) -> None:
    """Though a byte comes now and then."""
    changes = {"client_header_timeout 10s;": "client_header_timeout 1s;"}
    with proxy(tmp_path, [server], changes) as front, front.connect() as slow:
        slow.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        for _ in range(200):
            if select.select([slow], [], [], 0.1)[0]:
                break
            slow.sendall(b"x")
        else:
            pytest.fail("the head went on arriving for twenty seconds")
        assert is_cut(slow)
        assert front.ask("/livez").status == 200


def test_slow_body_reaches_a_replica(tmp_path: Path) -> None:
    changes = {"client_body_timeout 15s;": "client_body_timeout 1s;"}
    with live_server() as replica, proxy(tmp_path, [replica], changes) as front:
        with front.connect() as slow:
            slow.sendall(request_bytes(RECIPE)[:-10])
            assert is_cut(slow)
        assert not any("/v1/weights" in line for line in replica.log)
        assert count(replica, "tensorseed_aborted_total") == 0
        assert front.ask("/v1/weights", SMALL).body == file_of(SMALL)


@pytest.mark.parametrize(
    "headers", [f"X-A: {'a' * 9000}\r\n", "".join(f"X-{n}: {'a' * 7000}\r\n" for n in range(6))]
)
def test_header_flood_reaches_a_replica(server: LiveServer, tmp_path: Path, headers: str) -> None:
    request = f"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode()
    with proxy(tmp_path, [server]) as front, front.connect() as connection:
        assert status_of(connection, request) == 431
        assert front.ask("/livez", **{"X-A": "a" * 7000}).status == 200


def test_url_without_end_reaches_a_replica(server: LiveServer, tmp_path: Path) -> None:
    with proxy(tmp_path, [server]) as front:
        refused = front.ask(f"/v1/r/{'a' * 9000}")
        assert (refused.status, problem_of(refused)["title"]) == (414, "URI Too Long")


def longest_link() -> tuple[str, dict[str, Any]]:
    """Return a link of exactly as many characters as it may have, and its recipe."""
    draw = random.Random(7)
    text = "".join(draw.choices(string.ascii_letters + string.digits, k=4000))
    for length in range(3600, 4000):
        recipe = recipe_of(tensor(), metadata={"note": text[:length]})
        if len(link_of(service.parse(recipe)) or "") == MAX_LINK:
            return link_of(service.parse(recipe)) or "", recipe
    raise AssertionError("no note gives such a link")


def test_longest_link_is_cut(server: LiveServer, tmp_path: Path) -> None:
    link, recipe = longest_link()
    assert len(link) == MAX_LINK == 4096
    with proxy(tmp_path, [server]) as front:
        for path in (f"/v1/r/{link}", f"/v1/r/{link}/model.safetensors?include=w&rank=0&world=1"):
            answer = front.ask(path)
            assert (answer.status, answer.body) == (200, file_of(recipe))


def padded(length: int) -> bytes:
    """Return a recipe's text of so many bytes."""
    return json.dumps(SMALL).encode().ljust(length)


def test_proxy_and_service_differ_in_the_largest_body(server: LiveServer, tmp_path: Path) -> None:
    limit = Settings().max_body_bytes
    head = "POST /v1/weights HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n{limit + 1:x}\r\n".encode()
    declared = f"{head}Content-Length: {limit + 1}\r\n\r\n".encode()
    with proxy(tmp_path, [server]) as front:
        with front.connect() as connection:
            connection.sendall(f"{head}Content-Length: {limit}\r\n\r\n".encode() + padded(limit))
            response = http.client.HTTPResponse(connection)
            response.begin()
            assert (response.status, response.read()) == (200, file_of(SMALL))
        for request in (declared, chunked + padded(limit + 1) + b"\r\n0\r\n\r\n"):
            with front.connect() as connection:
                assert status_of(connection, request) == 413


def test_donor_waits_in_the_proxys_memory(server: LiveServer, tmp_path: Path) -> None:
    """20 MB reach the replica before the last bytes are sent, and more than a recipe may have."""
    donor = save({"w": np.ones((64, 64), np.float32), "x": np.zeros(5 << 20, np.float32)})
    body = parts(recipe_of(tensor(shape=[64, 64])), donor)
    kind = "Host: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    with proxy(tmp_path, [server]) as front:
        for path, found in (
            ("weights?include=w", b"\x00\x00\x80\x3f" * 4096),
            ("plan", b'"donor"'),
        ):
            head = f"POST /v1/{path} HTTP/1.1\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
            with front.connect() as connection:
                connection.sendall(head.encode() + body[:-9])
                assert wait_until(lambda: len(stored(server)) == 1, 10)
                connection.sendall(body[-9:])
                response = http.client.HTTPResponse(connection)
                response.begin()
                assert found in response.read()
                assert response.status == 200
            assert wait_until(lambda: not stored(server), 10)
        assert front.ask("/.donor/weights").status == 404


def test_one_address_takes_all_connections(server: LiveServer, tmp_path: Path) -> None:
    changes = {"limit_conn connections 256;": "limit_conn connections 2;"}
    with proxy(tmp_path, [server], changes) as front, ExitStack() as stack:
        held = [stack.enter_context(started(front, VAST)) for _ in range(2)]
        refused = front.ask("/livez")
        assert (refused.status, refused.headers["Retry-After"]) == (429, "2")
        assert "this address" in problem_of(refused)["detail"]
        assert front.ask("/livez", source=OTHER).status == 200
        held[0].close()
        assert wait_until(lambda: front.ask("/livez").status == 200, 10)


def test_one_address_takes_all_requests(server: LiveServer, tmp_path: Path) -> None:
    changes = {"rate=500r/s;": "rate=1r/m;", "burst=1000 nodelay;": "burst=3 nodelay;"}
    with proxy(tmp_path, [server], changes) as front:
        answers = [front.ask("/livez") for _ in range(6)]
        assert [answer.status for answer in answers] == [200] * 4 + [429] * 2
        assert answers[-1].headers["Retry-After"] == "2"
        assert front.ask("/livez", source=OTHER).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "//metrics",
        "/metrics?x",
        "/metrics/",
        "/metrics;x",
        "/METRICS",
        "/./metrics",
        "/%6detrics",
        "/%256detrics",
        "/%2fmetrics",
        "/v1/../metrics",
        "/v1/%2e%2e/metrics",
        "/.proxy/429",
    ],
)
def test_public_port_shows_what_is_counted(server: LiveServer, tmp_path: Path, path: str) -> None:
    with proxy(tmp_path, [server]) as front:
        answer = front.ask(path)
        assert answer.status in {404, 307}  # which leads to /metrics
        assert b"tensorseed_" not in answer.body


def test_two_lengths_reach_a_replica(server: LiveServer, tmp_path: Path) -> None:
    """Or proxy and replica would not agree on where a request ends."""
    both = b"POST /v1/plan HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n%s\r\n\r\n0\r\n\r\n"
    with proxy(tmp_path, [server]) as front:
        for more in (b"Content-Length: 6", b"Transfer-Encoding: chunked"):
            with front.connect() as connection:
                assert status_of(connection, both % more) == 400


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
def test_tls_example_serves_other_bytes_or_nothing(server: LiveServer, tmp_path: Path) -> None:
    key, certificate = tmp_path / "tls.key", tmp_path / "tls.crt"
    options = "-x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=test"
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = [OPENSSL or "", "req", *options.split(), *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    port = free_port()
    text = (ROOT / "deploy/nginx-tls.conf").read_text("utf-8")
    text = text.replace("/etc/nginx/tls/", f"{tmp_path}/")
    text = text.replace("listen 8443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    (tmp_path / "nginx-tls.conf").write_text(text)
    include = {"# include /etc/nginx/nginx-tls.conf;": f"include {tmp_path}/nginx-tls.conf;"}
    with proxy(tmp_path, [server], include) as front:
        trusted = ssl.create_default_context(cafile=str(certificate))
        request = urllib.request.Request(
            f"https://127.0.0.1:{port}/v1/weights",
            json.dumps(RECIPE).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE, context=trusted) as response:
            assert response.read() == file_of(RECIPE)
        assert front.ask("/livez").status == 200
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as plain:
            assert status_of(plain, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n") == 400
