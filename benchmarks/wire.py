"""From a POST to the client over a real socket: bytes a second, first byte, requests a second."""

import json
import math
import multiprocessing
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from benchmarks.kernel import INITS
from benchmarks.measure import Row, in_turn, seconds, speedup
from tools.live import LiveServer, live_server

ROOT = Path(__file__).parents[1]
PEERS = ("benchmarks.app",)
GIB = 1 << 30
TURNED = [
    ("linear layers drawn as torch's, held as Flax's", [4096, 16384], "IO", "OI"),
    ("convolutions drawn as torch's, held as Flax's", [3, 3, 512, 512], "HWIO", "OIHW"),
]
SMALL = json.dumps(
    {
        "seed": 42,
        "tensors": [
            {
                "name": f"encoder.layers.{layer}.self_attn.{matrix}_proj.weight",
                "shape": [16, 16],
                "init": "xavier_uniform",
            }
            for layer in (0, 1)
            for matrix in ("q", "k", "v", "in", "out")
        ],
    }
).encode()
"""A recipe of 1 KB: ten tensors."""


def rows() -> Iterator[Row]:
    """Yield the rows of this page of the table."""
    with live_server(module=PEERS) as server:
        for law, goal in (("normal", 0.40), ("uniform", 0.55)):
            yield _share(server, law, goal)
        for what, shape, layout, drawn in TURNED:
            yield _turned(server, what, shape, layout, drawn)
        yield _first_byte(server)
        yield _requests(server)
        yield _long(server)
    yield _gpt2()
    yield _start()


def recipe(init: Any, nbytes: int) -> bytes:
    """Return the recipe of one F32 tensor of so many bytes, a multiple of 4,096."""
    one = {"name": "w", "shape": [1024, nbytes // 4096], "init": init}
    return json.dumps({"seed": 1, "tensors": [one]}).encode()


def fetch(url: str, body: bytes | None = None, to: str | Path = "/dev/null") -> float:
    """Return the seconds that curl takes over one request."""
    post = ["-H", "Content-Type: application/json", "--data-binary", "@-"] if body else []
    command = ["curl", "--fail", "--silent", "--show-error", "-o", str(to), *post, url]
    return seconds(lambda: subprocess.run(command, input=body, check=True))


def _share(server: LiveServer, law: str, goal: float) -> Row:
    body, nbytes = recipe(INITS[law], 4 * GIB), 4 * GIB
    ours, constant = in_turn(
        lambda: fetch(f"{server.url}/v1/weights", body),
        lambda: fetch(f"{server.url}/constant/{nbytes}"),
        rounds=9,
    )
    share = speedup(ours, constant)
    return Row(
        f"{law}, POST to client, 4 GiB", _gigabytes(ours, nbytes),
        f"a constant buffer, the same server {_gigabytes(constant, nbytes)}",
        f"{share:.2f}", f">= {goal:.2f}", share >= goal,
    )  # fmt: skip


def _turned(server: LiveServer, what: str, shape: list[int], layout: str, drawn: str) -> Row:
    """Return how fast one framework's weights come in another's layout."""
    count = max(1, GIB // (4 * math.prod(shape)))

    def body(draw: dict[str, Any]) -> bytes:
        tensors = [
            {"name": f"w{i}", "shape": shape, "layout": layout, "init": "kaiming", **draw}
            for i in range(count)
        ]
        return json.dumps({"seed": 1, "tensors": tensors}).encode()

    turned, plain = body({"draw": {"name": "w", "layout": drawn}}), body({})
    ours, theirs = in_turn(
        lambda: fetch(f"{server.url}/v1/weights", turned),
        lambda: fetch(f"{server.url}/v1/weights", plain),
        rounds=7,
    )
    share, nbytes = speedup(ours, theirs), 4 * count * math.prod(shape)
    return Row(
        f"{what}, POST to client, 1 GiB", _gigabytes(ours, nbytes),
        f"in its own layout {_gigabytes(theirs, nbytes)}",
        f"{share:.2f}", ">= 0.50", share >= 0.5,
    )  # fmt: skip


def _gigabytes(times: list[float], nbytes: int) -> str:
    return f"{nbytes / statistics.median(times) / 1e9:.2f} GB/s"


def message(path: str, body: bytes) -> bytes:
    """Return a request as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connection:
    """One kept-alive connection of a client that costs next to nothing itself.

    Args:
        port: Of the server on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def first_byte(self, sent: bytes) -> float:
        """Send a request, return the seconds to the first byte of its answer."""
        start = time.perf_counter()
        self._socket.sendall(sent)
        self._received = self._socket.recv(1 << 16)
        return time.perf_counter() - start

    def request(self, sent: bytes) -> float:
        """Send a request, read its answer, return the seconds to the first byte."""
        first = self.first_byte(sent)
        received = self._received
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._socket.recv(1 << 16)
        head = received[:end].lower()
        assert head.startswith(b"http/1.1 200"), head
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        left = length - (len(received) - end - 4)
        while left:
            left -= len(self._socket.recv(1 << 16))
        return first


def _first_byte(server: LiveServer) -> Row:
    sent = message("/v1/weights", SMALL)
    with Connection(server.port) as connection:
        times = sorted(connection.request(sent) for _ in range(1000))
    p50, p99 = times[500] * 1e3, times[990] * 1e3
    return Row(
        "first byte of a 1 KB recipe", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", "", f"{p50:.1f} ms",
        "p50 <= 5 ms", p50 <= 5,
    )  # fmt: skip


def _load(port: int, sent: bytes, count: int) -> None:
    def work(_: int) -> None:
        with Connection(port) as connection:
            for _ in range(count // 8):
                connection.request(sent)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def _requests(server: LiveServer) -> Row:
    count = 2000

    def load(path: str) -> float:
        # Its own process: a client on this one's lock would be measured with the server.
        process = multiprocessing.get_context("spawn").Process(
            target=_load, args=(server.port, message(path, SMALL), count)
        )
        start = time.perf_counter()
        process.start()
        process.join()
        return time.perf_counter() - start

    ours, echo = in_turn(lambda: load("/v1/weights"), lambda: load("/echo/"), rounds=9)
    share = speedup(ours, echo)
    return Row(
        "1 KB recipes, 8 connections", f"{count / statistics.median(ours):.0f}/s",
        f"a bare FastAPI echo {count / statistics.median(echo):.0f}/s",
        f"{share:.2f}", ">= 0.50", share >= 0.5,
    )  # fmt: skip


_TORCH = """
import json, sys, time
import torch
from safetensors.torch import save_file

shapes = json.loads(sys.argv[1])
for _ in sys.stdin:
    start = time.perf_counter()
    tensors = {name: torch.empty(shape) for name, shape in shapes.items()}
    for name, tensor in tensors.items():
        if name.endswith(".bias"):
            torch.nn.init.zeros_(tensor)
        elif ".ln_" in name:
            torch.nn.init.ones_(tensor)
        else:
            torch.nn.init.normal_(tensor, 0, 0.02)
    save_file(tensors, sys.argv[2])
    print(time.perf_counter() - start, flush=True)
"""


def _gpt2() -> Row:
    """Both write the same 148 tensors to memory, not to a disk."""
    what, goal = "GPT-2 124M, POST to file", "<= 0.50 of its time, server <= 120 MB"
    if not find_spec("torch"):
        return Row(what, "", "torch: skipped, it is not installed", "", goal)
    text = (ROOT / "examples/recipes/gpt2-small.json").read_bytes()
    shapes = {tensor["name"]: tensor["shape"] for tensor in json.loads(text)["tensors"]}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, live_server() as server:
        command = [sys.executable, "-c", _TORCH, json.dumps(shapes), f"{folder}/torch"]
        with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, bufsize=1) as peer:
            assert peer.stdin
            assert peer.stdout
            asked, said = peer.stdin, peer.stdout

            def theirs() -> float:
                asked.write("\n")
                return float(said.readline())

            post = f"{server.url}/v1/weights"
            own, torch = in_turn(lambda: fetch(post, text, f"{folder}/own"), theirs, rounds=9)
            asked.close()
        rss = server.rss / 1e6
    ratio = 1 / speedup(own, torch)
    return Row(
        what, f"{statistics.median(own):.2f} s, server {rss:.0f} MB",
        f"torch init + safetensors save {statistics.median(torch):.2f} s",
        f"{ratio:.2f}", goal, ratio <= 0.5 and rss <= 120,
    )  # fmt: skip


def _long(server: LiveServer) -> Row:
    """A body of 100 GB, with the server's memory looked at all along."""
    nbytes = 100 * 10**9 // 4096 * 4096
    sizes = [server.rss]
    with ThreadPoolExecutor(1) as pool:
        body = pool.submit(fetch, f"{server.url}/v1/weights", recipe(INITS["uniform"], nbytes))
        while not body.done():
            wait([body], timeout=0.1)
            sizes.append(server.rss)
    early, late = (
        max(part) / 1e6 for part in (sizes[: len(sizes) // 10], sizes[len(sizes) // 2 :])
    )
    return Row(
        "server's memory over a 100 GB body",
        f"{max(sizes) / 1e6:.0f} MB at most, at {nbytes / body.result() / 1e9:.2f} GB/s",
        f"in its first tenth {early:.0f} MB", f"{late - early:+.1f} MB", "flat, <= 150 MB",
        late - early < 5 and max(sizes) <= 150e6,
    )  # fmt: skip


def _start() -> Row:
    def start() -> float:
        began = time.perf_counter()
        with live_server() as server, Connection(server.port):
            return time.perf_counter() - began

    (times,) = in_turn(start, rounds=5)
    median = statistics.median(times)
    return Row("start to ready", f"{median:.2f} s", "", f"{median:.2f} s", "<= 1 s", median <= 1)
