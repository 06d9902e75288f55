"""Bodies over a real socket: constant memory, clients that leave, servers that die."""

import hashlib
import http.client
import json
import socket
import time
import urllib.error
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

import service
from service.stream.pipeline import MAX_CHUNK_BYTES, Pipeline
from service.web.request.plan import _is_quick
from tests.support import bytes_of, plan_of, recipe_of, tensor, wait_until
from tools.live import LiveServer, live_server

LARGE = recipe_of(tensor(shape=[64, 1 << 20]), seed=3)  # 256 MiB
SLOW = {"scheme": "truncated_normal", "std": 1, "correct_variance": True}
MIB = 1 << 20


def request_bytes(recipe: Any) -> bytes:
    body = json.dumps(recipe).encode()
    head = (
        f"POST /v1/weights HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def connected(server: LiveServer, recipe: Any, count: int) -> list[socket.socket]:
    """Return so many connections, each with the recipe sent and nothing read."""
    connections = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=120)
        connection.sendall(request_bytes(recipe))
        connections.append(connection)
    return connections


def read_some(connection: socket.socket, count: int) -> None:
    while count > 0:
        received = connection.recv(65536)
        assert received
        count -= len(received)


def test_body_over_a_socket_is_not_the_streams(server: LiveServer) -> None:
    hashed = hashlib.sha256()
    for chunk in service.stream(plan_of(LARGE)):
        hashed.update(chunk)
    for _ in range(2):
        answer = hashlib.sha256()
        with server.post("/v1/weights", LARGE) as response:
            while piece := response.read(MIB):
                answer.update(piece)
        assert answer.digest() == hashed.digest()


def test_memory_grows_with_the_body() -> None:
    """1 GB streamed: resident memory stays under 150 MB and does not climb."""
    recipe = recipe_of(tensor({"scheme": "uniform", "low": 0, "high": 1}, [250, 1_000_000]))
    sizes = []
    with live_server() as server, server.post("/v1/weights", recipe) as response:
        assert int(response.headers["Content-Length"]) > 10**9
        total = 0
        while piece := response.read(8 * MIB):
            total += len(piece)
            sizes.append(server.rss)
    assert total == int(response.headers["Content-Length"])
    assert max(sizes) < 150_000_000
    assert max(sizes[len(sizes) // 2 :]) < max(sizes[: len(sizes) // 2]) + 10_000_000


def test_work_goes_on_for_clients_that_left() -> None:
    """100 clients hang up after 1 MB of 4 GB each; a second later the server is idle."""
    vast = recipe_of(tensor(shape=[1 << 30]))
    with live_server("--max-bodies", "200") as server:
        connections = connected(server, vast, 100)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda c: read_some(c, MIB), connections))
        for connection in connections:
            connection.close()
        left = time.monotonic()
        assert wait_until(lambda: time.monotonic() - left > 1.0, 5)
        before = server.cpu_seconds()
        assert wait_until(lambda: time.monotonic() - left > 2.0, 5)
        assert server.cpu_seconds() - before < 0.2
        with server.post("/v1/weights", recipe_of(tensor())) as response:
            assert response.status == 200


def test_stalled_reader_is_generated_for(server: LiveServer) -> None:
    """A client that reads nothing costs a few chunks, not a body."""
    before = server.rss
    with connected(server, LARGE, 1)[0] as connection:
        read_some(connection, 1)
        spent = [server.cpu_seconds()]

        def settled() -> bool:
            time_now = server.cpu_seconds()
            spent.append(time_now)
            return len(spent) > 2000 and spent[-1] - spent[-1000] < 0.02

        assert wait_until(settled, 20)
        assert server.rss - before < 32 * MIB


def test_chunk_is_written_over_before_it_is_sent(server: LiveServer) -> None:
    """Eight readers, each a little at a time: the transport holds chunks while others are made."""
    recipe = recipe_of(tensor(shape=[8 << 20]), seed=5)
    expected = bytes_of(plan_of(recipe))
    connections = connected(server, recipe, 8)
    reading = [connection.makefile("rb", buffering=0) for connection in connections]
    for file in reading:
        while file.readline() != b"\r\n":  # unbuffered: the body is left alone
            pass
    hashes = [hashlib.sha256() for _ in reading]
    counts = [0] * 8
    while min(counts) < len(expected):
        for i, file in enumerate(reading):
            piece = file.read(20_011)
            hashes[i].update(piece)
            counts[i] += len(piece)
    assert counts == [len(expected)] * 8
    assert {h.digest() for h in hashes} == {hashlib.sha256(expected).digest()}
    for file, connection in zip(reading, connections, strict=True):
        file.close()
        connection.close()


def test_stalled_readers_pass_the_budget() -> None:
    """300 that read nothing hold the budget and a little more; the next client is served."""
    flags = ("--max-buffered-bytes", str(32 * MIB), "--max-bodies", "500")
    with live_server(*flags) as server:
        with server.post("/v1/weights", recipe_of(tensor(shape=[MIB]))) as response:
            response.read()
        before = server.rss
        connections = connected(server, LARGE, 300)
        for connection in connections:
            read_some(connection, 1)
        spent = [server.cpu_seconds()]

        def settled() -> bool:
            spent.append(server.cpu_seconds())
            return len(spent) > 2000 and spent[-1] - spent[-1000] < 0.02

        assert wait_until(settled, 30)
        # Two of 64 KiB a stream are in its transport, larger ones in those of the first, which came
        # while they were few; and a connection by itself costs some 90 KB.
        assert server.rss - before < 32 * MIB + 300 * 4 * (64 << 10)
        with server.post("/v1/weights", recipe_of(tensor(shape=[MIB]))) as response:
            assert len(response.read()) > 4 * MIB
        for connection in connections:
            connection.close()


def test_server_killed_midway_looks_complete() -> None:
    with live_server() as server:
        response = server.post("/v1/weights", LARGE)
        response.read(MIB)
        server.process.kill()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
        response.close()


def test_failure_midway_looks_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that fails after the first byte cuts the connection short of Content-Length."""
    import asyncio

    import uvicorn

    from service.settings import Settings
    from service.web.app import create_app

    whole = Pipeline.submit

    def failing(self: Pipeline, plan: service.Plan, offset: int, out: Any) -> Any:
        if offset < MAX_CHUNK_BYTES:
            return whole(self, plan, offset, out)
        future: Future[memoryview] = Future()
        future.set_exception(OSError("the device is gone"))
        return future

    async def run() -> None:
        config = uvicorn.Config(create_app(Settings()), port=0, log_level="critical")
        running = uvicorn.Server(config)
        task = asyncio.create_task(running.serve())
        while not running.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0)
        port = running.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes(LARGE))
        received = await reader.read()
        assert b"200 OK" in received[:40]
        assert MAX_CHUNK_BYTES < len(received) < 2 * MAX_CHUNK_BYTES
        writer.close()
        running.should_exit = True
        await task

    monkeypatch.setattr(Pipeline, "submit", failing)
    asyncio.run(run())


def test_health_waits_for_bodies(server: LiveServer) -> None:
    sockets = connected(server, LARGE, 8)
    with ThreadPoolExecutor(8) as pool:
        bodies = [pool.submit(read_some, connection, 8 * MIB) for connection in sockets]
        health = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        for _ in range(20):
            health.request("GET", "/livez")
            assert health.getresponse().read() == b'{"status":"ok"}'
        health.close()
        for body in bodies:
            body.result()
    for connection in sockets:
        connection.close()


def test_standard_client_never_sees_the_413() -> None:
    """It reads no answer before it has sent all, so what it sends is read away."""
    with live_server("--max-body-bytes", "1000000") as server:
        with pytest.raises(urllib.error.HTTPError) as caught:
            server.post("/v1/weights", b" " * 3_000_000)
        assert caught.value.code == 413
        assert b"max_body_bytes" in caught.value.read()
        caught.value.close()


def test_termination_is_a_failure() -> None:
    with live_server() as server:
        server.process.terminate()
        assert server.process.wait(30) == 0


def test_stalled_request_body_holds_its_connection() -> None:
    with (
        live_server("--body-timeout", "0.2") as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection,
    ):
        connection.sendall(request_bytes(LARGE)[:-10])
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert b" 408 " in answer
    assert b"body_timeout" in answer


def test_tiny_recipe_that_is_slow_to_plan_holds_up_the_others(server: LiveServer) -> None:
    """Truncations and their corrections are the slowest there is: they leave the event loop."""
    parts = [{"size": 1, "init": {**SLOW, "bounds": [-19.5 + i / 100, 19.5]}} for i in range(12)]
    slow = recipe_of(tensor(None, [12], parts={"axis": 0, "of": parts}))
    assert len(json.dumps(slow)) < 2000
    quick = recipe_of(*(tensor("kaiming", [8, 8], f"w{i}") for i in range(9)))
    for recipe, on_the_loop in ((slow, False), (quick, True)):
        assert _is_quick(service.parse(recipe)) == on_the_loop
        with server.post("/v1/weights", recipe) as response:
            assert response.read() == bytes_of(plan_of(recipe))
