"""What a checkpoint beyond a terabyte costs while nobody takes all of it."""

import http.client
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from tools.live import LiveServer, live_server
from tools.torture.figure import Figure

RECIPE: dict[str, Any] = {
    "seed": 7,
    "model": {
        "model_type": "llama",
        "hidden_size": 16384,
        "intermediate_size": 53248,
        "num_hidden_layers": 126,
        "num_attention_heads": 128,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    },
}
"""A Llama of 405 billion parameters, in F32."""

_FAR = 900 * 10**9
_PART = 1 << 20
_TIMES = 50
_HEAD, _RANGE = 20.0, 100.0  # milliseconds


Ask = Callable[..., tuple[float, Any, bytes]]


@contextmanager
def _timed(server: LiveServer) -> Iterator[Ask]:
    """Keep a connection; yield what asks and returns milliseconds, headers and body."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:

        def ask(method: str, path: str, **headers: str) -> tuple[float, Any, bytes]:
            started = time.perf_counter()
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            body = response.read()
            return 1000 * (time.perf_counter() - started), response.headers, body

        yield ask


def sizes() -> list[Figure]:
    """Ask for the length, and for a part that lies far in, once cold and then often.

    Raises:
        AssertionError: An answer is not about that file.
    """
    with live_server() as server, _timed(server) as ask:
        with server.post("/v1/recipes", RECIPE) as stored:
            about = json.load(stored)
        path = f"/v1/recipes/{about['recipe_id']}/model.safetensors"
        heads, parts = [], []
        for _ in range(1 + _TIMES):
            took, headers, _ = ask("HEAD", path)
            assert int(headers["Content-Length"]) == about["total_bytes"]
            heads.append(took)
        for _ in range(_TIMES):
            asked = f"bytes={_FAR}-{_FAR + _PART - 1}"
            took, headers, body = ask("GET", path, Range=asked)
            assert headers["Content-Range"] == f"bytes {asked[6:]}/{about['total_bytes']}"
            assert len(body) == _PART
            parts.append(took)
    size = f"{about['total_bytes'] / 1e12:.2f} TB"
    return [
        Figure(f"the first HEAD of a {size} recipe, which plans it", f"{heads[0]:.1f} ms"),
        _figure(f"HEAD of a {size} recipe", heads[1:], _HEAD),
        _figure("1 MiB of it at byte 900 GB", parts, _RANGE),
    ]


def _figure(what: str, took: list[float], most: float) -> Figure:
    seen = f"{statistics.median(took):.1f} ms, at most {max(took):.1f} ms of {len(took)}"
    return Figure(what, seen, f"< {most:g} ms", max(took) < most)
