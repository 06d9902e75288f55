"""A thousand readers at once, that read nothing or all they can: what they cost, who notices."""

import http.client
import json
import multiprocessing
import selectors
import socket
import statistics
import time
from contextlib import closing
from multiprocessing.connection import Connection

from tools.live import LiveServer, live_server
from tools.torture.figure import Figure

_RECIPE = {
    "seed": 1,
    "tensors": [{"name": "w", "shape": [1 << 30], "init": {"scheme": "normal", "std": 0.02}}],
}
_PROBES = 500
_MEMORY = 1_000_000_000
_HEALTH = 100.0  # milliseconds


def _begun(port: int) -> socket.socket:
    """Return a connection whose answer has begun and is not read."""
    body = json.dumps(_RECIPE).encode()
    head = f"POST /v1/weights HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    connection = socket.create_connection(("127.0.0.1", port), timeout=120)
    connection.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


def _livez(server: LiveServer, count: int) -> list[float]:
    """Return how long health takes to answer, in milliseconds, in order."""
    took = []
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as client:
        for _ in range(count):
            started = time.perf_counter()
            client.request("GET", "/livez")
            assert client.getresponse().read() == b'{"status":"ok"}'
            took.append(1000 * (time.perf_counter() - started))
    return sorted(took)


def stalls(count: int) -> list[Figure]:
    """Let so many readers stall, look at memory and health, and stream for one that reads."""
    with live_server("--max-bodies", str(2 * count), "--stall-timeout", "600") as server:
        _livez(server, 10)
        before = server.rss
        readers = []
        try:
            for _ in range(count):
                readers.append(_begun(server.port))  # noqa: PERF401 - those that came are closed
            took = _livez(server, _PROBES)
            grown = server.rss - before
            with server.post("/v1/weights", _RECIPE) as response:
                taken = len(response.read(64 << 20))
        finally:
            for reader in readers:
                reader.close()
    assert taken == 64 << 20
    late = took[int(0.99 * len(took))]
    return [
        Figure(
            f"memory of {count:,} stalled readers",
            f"{grown / 1e6:.0f} MB",
            f"< {_MEMORY / 1e9:g} GB",
            grown < _MEMORY,
        ),
        Figure(
            f"/livez beside {count:,} stalled readers",
            f"p50 {statistics.median(took):.1f} ms, p99 {late:.1f} ms",
            f"p99 < {_HEALTH:g} ms",
            late < _HEALTH,
        ),
    ]


def _read_all(port: int, count: int, told: Connection) -> None:
    """Read from so many answers at once, until told to stop; in a process of its own."""
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            connection = _begun(port)
            connection.setblocking(False)  # noqa: FBT003
            selector.register(connection, selectors.EVENT_READ)
        told.send(count)
        total, started = 0, time.monotonic()
        while not told.poll():
            for key, _ in selector.select(timeout=1):
                total += len(key.fileobj.recv(1 << 20))  # type: ignore[union-attr]
        told.send(total / (time.monotonic() - started))


def streams(count: int) -> Figure:
    """Let so many readers take all they can, and ask for health meanwhile."""
    context = multiprocessing.get_context("spawn")
    with live_server("--max-bodies", str(2 * count)) as server:
        mine, others = context.Pipe()
        reader = context.Process(target=_read_all, args=(server.port, count, others))
        reader.start()
        assert mine.recv() == count
        took = _livez(server, _PROBES)
        mine.send("stop")
        rate = mine.recv()
        rss = server.rss
        reader.join()
    return Figure(
        f"/livez beside {count:,} bodies that stream",
        f"p50 {statistics.median(took):.0f} ms, p99 {took[int(0.99 * len(took))]:.0f} ms, at most"
        f" {took[-1]:.0f} ms; {rate / 1e9:.2f} GB/s to all, server {rss / 1e6:.0f} MB",
        "answered",
    )
