"""Random ranges of a checkpoint's files over HTTP, against slices of the whole."""

import http.client
import json
import random
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

from tools.live import LiveServer, live_server
from tools.torture.figure import Figure

_FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
_THIRDS = {"axis": 0, "of": [{"size": 31}, {"size": 1, "init": "zeros"}, {"size": 31}]}

RECIPE: dict[str, Any] = {
    "seed": 7,
    "init": {"scheme": "normal", "std": 0.02},
    "metadata": {"format": "pt"},
    "tensors": [
        *({"name": f"{dtype}.a", "shape": [63, 97], "dtype": dtype} for dtype in _FLOATS),
        *(
            {"name": f"{dtype}.parts", "shape": [63, 5], "dtype": dtype, "parts": _THIRDS}
            for dtype in _FLOATS
        ),
        *(
            {"name": f"{dtype}.slice", "shape": [40, 41], "dtype": dtype, "slice": [[3, 33], None]}
            for dtype in _FLOATS
        ),
        {"name": "orthogonal", "shape": [33, 20], "init": "orthogonal"},
        {"name": "sparse", "shape": [50, 20], "init": {"scheme": "sparse", "sparsity": 0.3}},
        {
            "name": "turned",
            "shape": [3, 8, 5],
            "layout": "HIO",
            "draw": {"name": "c", "layout": "OIH"},
        },
        {"name": "empty", "shape": [0, 4], "init": "zeros"},
        {"name": "one", "shape": [], "init": "ones", "dtype": "I64"},
    ],
}
"""All dtypes, and all ways in which a tensor's bytes come about."""

SHARD = 20_000
"""Bytes of a shard, so that there are some."""


class _File(NamedTuple):
    path: str
    body: bytes
    borders: list[int]


def _connected(server: LiveServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)


def _body(connection: http.client.HTTPConnection, path: str, **headers: str) -> tuple[int, bytes]:
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response.status, response.read()


def _files(server: LiveServer, connection: http.client.HTTPConnection) -> Iterator[_File]:
    """Yield the whole file and its shards, each with the bytes of one request for all of it."""
    with server.post("/v1/recipes", RECIPE) as response:
        base = f"/v1/recipes/{json.load(response)['recipe_id']}"
    cut = f"?shard_size={SHARD}"
    index = json.loads(_body(connection, f"{base}/model.safetensors.index.json{cut}")[1])
    shards = sorted(set(index["weight_map"].values()))
    for path in [f"{base}/model.safetensors", *(f"{base}/{name}{cut}" for name in shards)]:
        _, body = _body(connection, path)
        start = 8 + int.from_bytes(body[:8], "little")
        header = json.loads(body[8:start])
        header.pop("__metadata__")
        ends = {start + end for entry in header.values() for end in entry["data_offsets"]}
        yield _File(path, body, sorted({0, 8, start, len(body)} | ends))


def _place(file: _File, chance: random.Random) -> int:
    """Return a byte of a file: any, or one near where a tensor or the header ends."""
    if chance.random() < 0.5:
        return chance.randrange(len(file.body))
    near = chance.choice(file.borders) + chance.randint(-3, 3)
    return min(max(near, 0), len(file.body) - 1)


def ranges(count: int, seed: int = 1) -> Figure:
    """Ask for so many random ranges.

    Raises:
        AssertionError: One is not the slice of the whole, with the range that was asked for.
    """
    chance = random.Random(seed)
    with live_server() as server, closing(_connected(server)) as connection:
        files = list(_files(server, connection))
        for _ in range(count):
            file = chance.choice(files)
            first, last = sorted((_place(file, chance), _place(file, chance)))
            answer = _body(connection, file.path, Range=f"bytes={first}-{last}")
            assert answer == (206, file.body[first : last + 1]), (file.path, first, last)
    return Figure(
        f"{count:,} random ranges of {len(files)} files, all dtypes",
        "each is the slice of the whole",
        "each",
        holds=True,
    )
