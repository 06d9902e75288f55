"""A server's life as its operator sees it: limits, stalls, workers that die, the end."""

import http.client
import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from contextlib import closing
from typing import Any

import psutil
import pytest

from tests.support import file_of, recipe_of, tensor, wait_until
from tests.web.response.test_weights import LARGE, MIB, connected, read_some, request_bytes
from tools.live import LiveServer, live_server

VAST = recipe_of(tensor(shape=[1 << 10, 1 << 28]), seed=3)  # 1 TiB
SMALL = recipe_of(tensor())
LEFT = 'tensorseed_aborted_total{reason="client"}'


def metrics_of(server: LiveServer) -> dict[str, float]:
    """Return what is counted, labels included in the names."""
    with server.opened("/metrics") as response:
        lines = response.read().decode().splitlines()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


def refusal_of(server: LiveServer, recipe: Any) -> tuple[int, str, dict[str, Any]]:
    """Return status, Retry-After and the problem of what a server refuses."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.post("/v1/weights", recipe)
    with refused.value as answer:
        return answer.code, answer.headers["Retry-After"], json.load(answer)


def count(server: LiveServer, name: str) -> float:
    return metrics_of(server).get(name, 0)


def test_full_server_takes_more_bodies_or_forgets_small_ones() -> None:
    with live_server("--max-bodies", "2", "--queue-timeout", "0") as server:
        connections = connected(server, VAST, 2)
        for connection in connections:
            read_some(connection, MIB)
        status, after, problem = refusal_of(server, VAST)
        assert (status, after.isdecimal()) == (429, True)
        assert "max_bodies" in problem["detail"]
        assert count(server, "tensorseed_bodies_in_flight") == 2
        with server.post("/v1/weights", SMALL) as response:  # which is made at once
            assert response.read() == file_of(SMALL)
        connections[0].close()
        assert wait_until(lambda: count(server, "tensorseed_bodies_in_flight") == 1, 10)
        with server.post("/v1/weights", LARGE) as response:
            assert len(response.read()) > 64 * MIB
        connections[1].close()
        assert wait_until(
            lambda: count(server, 'tensorseed_aborted_total{reason="client"}') == 2, 10
        )


def test_body_that_waits_is_refused_though_a_place_comes_free() -> None:
    with live_server("--max-bodies", "1", "--queue-timeout", "60") as server:
        first = connected(server, VAST, 1)[0]
        read_some(first, MIB)
        second = connected(server, LARGE, 1)[0]
        assert wait_until(lambda: count(server, "tensorseed_bodies_waiting") == 1, 10)
        first.close()
        read_some(second, 64 * MIB)
        second.close()


def test_large_recipes_fill_the_memory() -> None:
    """Of those that hold many tensors only so many are under way."""
    many = recipe_of(*(tensor("zeros", [2000], f"w{i}") for i in range(6000)))
    with live_server("--max-held-tensors", "10000", "--max-bodies", "100") as server:
        reading = connected(server, many, 1)[0]
        read_some(reading, MIB)
        status, after, problem = refusal_of(server, many)
        assert (status, after.isdecimal()) == (429, True)
        assert "max_held_tensors" in problem["detail"]
        assert server.get("/livez") == {"status": "ok"}
        reading.close()
        assert wait_until(lambda: count(server, "tensorseed_held_tensors") == 0, 10)
        with server.post("/v1/weights", many) as response:
            assert len(response.read()) > 48_000_000


@pytest.mark.parametrize(
    ("flag", "reason"), [("--stall-timeout", "stall"), ("--stream-timeout", "deadline")]
)
def test_reader_that_stalls_is_never_cut(flag: str, reason: str) -> None:
    with live_server(flag, "1") as server:
        before = server.rss
        stalled = connected(server, VAST, 4)
        for connection in stalled:
            read_some(connection, 1)
        aborted = f'tensorseed_aborted_total{{reason="{reason}"}}'
        assert wait_until(lambda: count(server, aborted) == 4, 20)
        assert count(server, "tensorseed_bodies_in_flight") == 0
        assert wait_until(lambda: count(server, "tensorseed_buffered_bytes") == 0, 10)
        assert server.rss - before < 64 * MIB
        for connection in stalled:
            assert is_cut(connection)
            connection.close()
        assert not any("Traceback" in line or "ASGI callable" in line for line in server.log)


def status_of(server: LiveServer, path: str) -> int:
    try:
        with server.opened(path) as response:
            return int(response.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def is_cut(connection: socket.socket) -> bool:
    """Return whether a vast body ends at all: nobody could have read it to its end."""
    try:
        while connection.recv(MIB):
            continue
    except ConnectionError:
        pass
    return True


def narrow(server: LiveServer) -> socket.socket:
    """Return a connection that takes little ahead of its reader."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", server.port))
    return connection


def test_reader_that_stalls_at_the_end_keeps_its_buffers() -> None:
    """All is with the server's transport already: the system is waited for too."""
    recipe = recipe_of(tensor(shape=[3 << 20]), seed=3)  # 12 MiB: more than the sockets hold
    with live_server("--stall-timeout", "1") as server, closing(narrow(server)) as connection:
        connection.sendall(request_bytes(recipe))
        read_some(connection, 4 * MIB)
        aborted = 'tensorseed_aborted_total{reason="stall"}'
        assert wait_until(lambda: count(server, aborted) == 1, 20)
        assert wait_until(lambda: count(server, "tensorseed_buffered_bytes") == 0, 10)


def test_slow_reader_is_cut_as_if_it_stalled() -> None:
    """It takes each chunk of 2 MiB in more than the timeout, but never stops."""
    recipe = recipe_of(tensor(shape=[3 << 20]), seed=3)
    expected = file_of(recipe)
    with (
        live_server("--stall-timeout", "1") as server,
        closing(narrow(server)) as connection,
        connection.makefile("rb") as file,
    ):
        connection.sendall(request_bytes(recipe))
        while file.readline() != b"\r\n":
            pass
        body, started = bytearray(), time.monotonic()
        while piece := file.read(min(1 << 16, len(expected) - len(body))):
            body += piece
            while time.monotonic() < started + 7 * len(body) / len(expected):
                continue
        assert body == expected
        assert count(server, 'tensorseed_aborted_total{reason="stall"}') == 0


def test_answer_unread_before_it_lets_a_body_hold_its_place() -> None:
    """Its first bytes wait for the reader as all others do, and no longer."""
    many = recipe_of(*(tensor("zeros", [1], f"{'w' * 200}{i}") for i in range(9000)))
    aborted = 'tensorseed_aborted_total{reason="stall"}'
    with live_server("--stall-timeout", "1") as server, closing(narrow(server)) as connection:
        connection.sendall(request_bytes(many).replace(b"/v1/weights", b"/v1/plan", 1))
        assert connection.recv(1)
        connection.sendall(request_bytes(VAST))
        assert wait_until(lambda: count(server, aborted) == 1, 30)
        assert wait_until(lambda: count(server, "tensorseed_bodies_in_flight") == 0, 10)


def test_client_that_leaves_is_hidden_by_its_next_request() -> None:
    with live_server() as server:
        connection = connected(server, VAST, 1)[0]
        read_some(connection, MIB)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.close()
        assert wait_until(lambda: count(server, LEFT) == 1, 10)
        assert count(server, "tensorseed_bodies_in_flight") == 0
        assert not any("Traceback" in line for line in server.log)


def test_client_that_leaves_the_queue_keeps_its_place() -> None:
    with live_server("--max-bodies", "1", "--queue-timeout", "60") as server:
        first, second = connected(server, VAST, 2)
        read_some(first, MIB)
        assert wait_until(lambda: count(server, "tensorseed_bodies_waiting") == 1, 10)
        second.close()
        assert wait_until(lambda: count(server, LEFT) == 1, 10)
        assert count(server, "tensorseed_bodies_waiting") == 0
        first.close()


def test_whole_body_is_said_to_be_aborted() -> None:
    with (
        live_server() as server,
        closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection,
    ):
        for _ in range(3):  # on one connection
            body = json.dumps(recipe_of(tensor(shape=[300, 400])))
            connection.request("POST", "/v1/weights", body, {"Content-Type": "application/json"})
            assert len(connection.getresponse().read()) > 480_000
        assert wait_until(lambda: sum('"status"' in line for line in server.log) == 3, 10)
        assert not any("aborted" in line for line in server.log)
        assert count(server, LEFT) == 0


def test_log_is_written_by_a_client() -> None:
    with live_server("--log-format", "text") as server:
        forged = "INFO:     10.0.0.1 POST /v1/weights ok 200 1 bytes"
        assert status_of(server, f"/x%0a{forged.replace(' ', '%20')}%1b%5b2J") == 404
        assert wait_until(lambda: any("10.0.0.1" in line for line in server.log), 10)
        assert not any(line.startswith(forged) or "\x1b[2J" in line for line in server.log)


def test_signal_to_the_whole_group_skips_the_drain() -> None:
    with live_server("--drain-delay", "4", "--workers", "2") as server:
        started = time.monotonic()
        for pid in (server.process.pid, *(worker.pid for worker in workers_of(server))):
            os.kill(pid, signal.SIGTERM)
        assert wait_until(lambda: status_of(server, "/readyz") == 503, 10)
        with server.post("/v1/weights", SMALL) as response:
            assert response.read() == file_of(SMALL)
        assert server.process.wait(30) == 0
        assert time.monotonic() - started > 3


@pytest.mark.parametrize("workers", ["1", "2"])
def test_server_that_ends_is_not_seen_to(workers: str) -> None:
    """/readyz says so while all goes on as before; then a body that does not end is cut."""
    flags = ("--drain-delay", "4", "--drain-timeout", "1", "--workers", workers)
    with live_server(*flags) as server:
        body = connected(server, VAST, 1)[0]
        read_some(body, MIB)
        assert server.get("/readyz") == {"status": "ok"}
        server.process.send_signal(signal.SIGTERM)
        assert wait_until(lambda: status_of(server, "/readyz") == 503, 10)
        assert count(server, "tensorseed_draining") == 1
        with server.post("/v1/weights", SMALL) as response:
            assert response.read() == file_of(SMALL)
        read_some(body, 16 * MIB)
        assert is_cut(body)
        body.close()
        assert server.process.wait(30) == 0
        assert wait_until(lambda: any('"shutdown"' in line for line in server.log), 10)


def test_body_that_fits_is_cut_at_the_end() -> None:
    with live_server("--drain-timeout", "60") as server:
        with server.post("/v1/weights", LARGE) as response:
            length = int(response.headers["Content-Length"])
            had = len(response.read(MIB))
            server.process.send_signal(signal.SIGTERM)
            while piece := response.read(MIB):
                had += len(piece)
        assert had == length
        assert server.process.wait(30) == 0


def workers_of(server: LiveServer) -> list[psutil.Process]:
    return [each for each in psutil.Process(server.process.pid).children() if is_worker(each)]


def is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return False


def test_worker_that_dies_is_missed() -> None:
    """Their counts add up, too, and those of the dead stay counted."""
    with live_server("--workers", "2") as server:

        def answered() -> float:
            return sum(n for name, n in metrics_of(server).items() if "/v1/weights" in name)

        for _ in range(20):
            with server.post("/v1/weights", SMALL) as response:
                assert response.read() == file_of(SMALL)
        name = 'tensorseed_requests_total{method="POST",route="/v1/weights",status="200"}'
        assert count(server, name) == 20
        before = workers_of(server)
        assert len(before) == 2
        before[0].kill()
        assert wait_until(lambda: before[0].pid not in {w.pid for w in workers_of(server)}, 20)
        assert wait_until(lambda: len(workers_of(server)) == 2, 20)
        for _ in range(20):
            with server.post("/v1/weights", SMALL) as response:
                assert response.read() == file_of(SMALL)
        assert count(server, name) == 40
        assert count(server, "tensorseed_requests_in_flight") == 1


def test_line_of_a_request_lacks_what_operators_look_for() -> None:
    with live_server() as server:
        request = urllib.request.Request(
            f"{server.url}/v1/weights",
            json.dumps(SMALL).encode(),
            {"Content-Type": "application/json", "X-Request-Id": "run-7/step:1"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.headers["X-Request-Id"] == "run-7/step:1"
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.get("/nothing")
        with refused.value as answer:
            assert len(answer.headers["X-Request-Id"]) == 32
        assert wait_until(lambda: sum('"status"' in line for line in server.log) == 2, 10)
        lines = [json.loads(line) for line in server.log]
        assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
        one, other = (line for line in lines if line["logger"] == "tensorseed.access")
        assert one["request_id"] == "run-7/step:1"
        assert (one["method"], one["route"], one["status"]) == ("POST", "/v1/weights", 200)
        assert one["bytes"] == len(file_of(SMALL))
        assert one["seconds"] > 0
        assert (other["status"], other["route"], other["path"]) == (404, "none", "/nothing")


@pytest.mark.parametrize("asked", ["", " ", "a b", "x" * 129, "é"])
def test_id_that_is_none_is_repeated(server: LiveServer, asked: str) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request("GET", "/livez", headers={"X-Request-Id": asked.encode("latin-1")})
        response = connection.getresponse()
        response.read()
    assert len(response.headers["X-Request-Id"]) == 32
    assert response.headers["X-Request-Id"].isalnum()


def test_wrong_setting_ends_in_a_traceback() -> None:
    for flags, said in (
        (["--keys", "nonsense"], "key 1 is not written as"),
        (["--keys-file", os.devnull + "/x"], "tensorseed: "),
        (["--database-url", "mysql://x"], "the registry cannot use mysql"),
        (["--max-bodies", "0"], "TENSORSEED_MAX_BODIES"),
    ):
        with pytest.raises(RuntimeError) as failed, live_server(*flags):
            pass
        assert said in str(failed.value)
        assert "Traceback" not in str(failed.value)
