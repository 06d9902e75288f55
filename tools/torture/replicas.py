"""Downloads whose server is killed, resumed on another one."""

import hashlib
import http.client
import json
import random
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any, NamedTuple, Self

from tools.live import LiveServer, live_server
from tools.torture.figure import Figure

MIB = 1 << 20

RECIPE: dict[str, Any] = {
    "seed": 7,
    "tensors": [
        {"name": dtype, "shape": [2048, 2048], "dtype": dtype, "init": "kaiming_normal"}
        for dtype in ("F64", "F32", "BF16", "F8_E4M3")
    ],
}
"""60 MiB: two thirds are far more than sockets hold, so whoever is killed has not sent all."""


class _Running(NamedTuple):
    server: LiveServer
    end: ExitStack


class Replicas:
    """Two servers with one registry, of which the dead is replaced while the other works."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        self._starters = ThreadPoolExecutor(2)
        self._running = [self._starters.submit(self._start) for _ in range(2)]
        return self

    def __exit__(self, *error: object) -> None:
        for each in self._running:
            each.result().end.close()
        self._starters.shutdown()
        self._folder.cleanup()

    def __getitem__(self, number: int) -> LiveServer:
        return self._running[number % 2].result().server

    def kill(self, number: int) -> None:
        """End a server without a chance to say so, and have another started in its place."""
        server, end = self._running[number % 2].result()
        server.process.kill()
        end.close()
        self._running[number % 2] = self._starters.submit(self._start)

    def _start(self) -> _Running:
        end = ExitStack()
        return _Running(end.enter_context(live_server(TENSORSEED_DATA_DIR=self._folder.name)), end)


@contextmanager
def _answer(
    server: LiveServer, path: str, start: int = 0, etag: str = ""
) -> Iterator[http.client.HTTPResponse]:
    """Ask for a file from some byte on, of the version that was begun."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        headers = {"Range": f"bytes={start}-", "If-Range": etag} if etag else {}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        assert response.status == (206 if etag else 200)
        yield response


def _download(replicas: Replicas, first: int, path: str, chance: random.Random) -> str:
    """Return the SHA-256 of a file whose server was killed on the way."""
    hashed, had = hashlib.sha256(), 0
    with _answer(replicas[first], path) as response:
        total, etag = int(response.headers["Content-Length"]), response.headers["ETag"]
        cut = chance.randrange(total // 3)
        while had < cut:
            had += _take(response, hashed, min(MIB, cut - had))
        replicas.kill(first)
        with suppress(http.client.IncompleteRead, ConnectionError):
            while size := _take(response, hashed, MIB):
                had += size
    assert had < total, "a server that was killed had sent everything"
    with _answer(replicas[first + 1], path, had, etag) as response:
        while size := _take(response, hashed, MIB):
            had += size
    assert had == total
    return hashed.hexdigest()


def _take(response: http.client.HTTPResponse, hashed: Any, most: int) -> int:
    piece = response.read1(most)
    hashed.update(piece)
    return len(piece)


def resumes(count: int, seed: int = 1) -> Figure:
    """Download a file so often, each time killing the server on the way.

    Raises:
        AssertionError: A download did not end in the file that an undisturbed one gives.
    """
    chance = random.Random(seed)
    started = time.monotonic()
    with Replicas() as replicas:
        with replicas[0].post("/v1/recipes", RECIPE) as stored:
            path = f"/v1/recipes/{json.load(stored)['recipe_id']}/model.safetensors"
        with _answer(replicas[1], path) as response:
            body = response.read()
        expected = hashlib.sha256(body).hexdigest()
        for number in range(count):
            assert _download(replicas, number, path, chance) == expected, f"download {number}"
    return Figure(
        f"{count:,} downloads of {len(body) / 1e6:.0f} MB, killed, resumed on another replica",
        f"one SHA-256, {expected[:16]}…, {(time.monotonic() - started) / 60:.1f} min",
        "one SHA-256",
        holds=True,
    )
