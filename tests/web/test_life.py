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
from tests.web.test_streaming import LARGE, MIB, connected, read_some
from tools.live import LiveServer, live_server

VAST = recipe_of(tensor(shape=[10, 1 << 28]), seed=3)  # 10 GiB
SMALL = recipe_of(tensor())


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
            assert is_cut(connection, 10 << 30)
            connection.close()
        assert not any("Traceback" in line or "ASGI callable" in line for line in server.log)


def status_of(server: LiveServer, path: str) -> int:
    try:
        with server.opened(path) as response:
            return int(response.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def is_cut(connection: socket.socket, length: int) -> bool:
    """Return whether a body ends before its length."""
    total = 0
    try:
        while piece := connection.recv(MIB):
            total += len(piece)
    except ConnectionError:
        pass
    return total < length


def test_reader_that_stalls_at_the_end_keeps_its_buffers() -> None:
    """All but the last bytes are with the system already: they are waited for too."""
    recipe = recipe_of(tensor(shape=[3 << 20]), seed=3)  # 12 MiB: more than the sockets hold
    with live_server("--stall-timeout", "1") as server:
        connection = connected(server, recipe, 1)[0]
        read_some(connection, 4 * MIB)
        assert wait_until(
            lambda: count(server, 'tensorseed_aborted_total{reason="stall"}') == 1, 20
        )
        assert wait_until(lambda: count(server, "tensorseed_buffered_bytes") == 0, 10)
        connection.close()


def test_slow_reader_is_cut_as_if_it_stalled() -> None:
    recipe = recipe_of(tensor(shape=[4 << 20]), seed=3)
    expected = file_of(recipe)
    with live_server("--stall-timeout", "2") as server:
        with (
            closing(connected(server, recipe, 1)[0]) as connection,
            connection.makefile("rb") as file,
        ):
            while file.readline() != b"\r\n":
                pass
            body, started = bytearray(), time.monotonic()
            while piece := file.read(min(MIB, len(expected) - len(body))):
                body += piece
                due = started + 4 * len(body) / len(expected)  # twice the timeout for all of it
                while time.monotonic() < due:
                    continue
        assert body == expected


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
        assert is_cut(body, 10 << 30)
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
