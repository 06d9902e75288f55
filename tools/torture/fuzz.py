"""Requests that nobody would write: each is answered, in time, and never with a 5xx."""

import http.client
import json
import random
import string
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from copy import deepcopy
from typing import Any, NamedTuple
from urllib.parse import quote

from service.recipe import parse
from service.recipe.link import link_of
from tools.live import LiveServer, live_server
from tools.torture.figure import Figure

_HANG = 30.0
"""Seconds after which an answer is said not to come."""

_TAKEN = 1 << 16
"""Bytes of an answer that are read: a mutated shape may ask for terabytes."""

_SEEDS: list[dict[str, Any]] = [
    {
        "seed": 1,
        "tensors": [{"name": "w", "shape": [4, 4], "init": {"scheme": "normal", "std": 0.02}}],
    },
    {
        "seed": "18446744073709551615",
        "dtype": "BF16",
        "init": "kaiming_normal",
        "tensors": [
            {"name": "c", "shape": [3, 4, 8], "layout": "HIO", "slice": [None, [1, 2], None]},
            {"name": "q", "shape": [12, 4], "parts": {"axis": 0, "of": [{"size": 4}] * 3}},
            {"name": "t", "shape": [4, 8], "layout": "OI", "draw": {"name": "x", "layout": "IO"}},
            {"name": "f", "shape": [8], "fan": {"in": 3, "out": 5}},
        ],
        "rules": [{"match": "*q", "init": "xavier_uniform", "dtype": "F32"}],
        "include": ["*"],
        "metadata": {"format": "pt"},
    },
    {
        "seed": 2,
        "tensors": [
            {"name": "o", "shape": [6, 4], "init": "orthogonal"},
            {"name": "s", "shape": [6, 4], "init": {"scheme": "sparse", "sparsity": 0.5}},
            {
                "name": "n",
                "shape": [6],
                "dtype": "F64",
                "init": {"scheme": "truncated_normal", "std": 1, "bounds": [-1, 2]},
            },
        ],
    },
    {
        "seed": 3,
        "convention": "flax",
        "draw_convention": "pytorch",
        "layers": [
            {"name": "a", "type": "conv2d", "in_channels": 3, "out_channels": 4, "kernel_size": 3},
            {"name": "l", "type": "lstm", "input_size": 3, "hidden_size": 4},
            {"name": "b", "type": "linear", "in_features": 4, "out_features": 2, "init": "zeros"},
        ],
    },
    {
        "seed": 4,
        "model": {"model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 2, "vocab_size": 9},
        "model_scheme": {"scheme": "deepnorm"},
    },
    {"seed": 5, "model": {"preset": "resnet18"}, "model_scheme": {"scheme": "fixup"}},
]  # fmt: skip

_NASTY: list[Any] = [
    None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e308, -1e308, 5e-324, 2**31, 2**53, 2**63, 2**64,
    10**30, "", "0", "w", "*", "**", "\u0000", "\u202e", "\ud7ff", "é" * 200, "a" * 300, [], {},
    [[]], [0], [1, 2], [2**40], [1] * 9, [None, None], {"scheme": "normal"}, "zeros", "kaiming",
    {"scheme": "chrono", "t_max": 1e9}, {"in": 0, "out": 0}, "OI", "IO", "HWIO", "F8_E4M3", "I64",
]  # fmt: skip

_PIECES = [
    "v1", "api", "models", "recipes", "names", "r", "resolve", "main", "seed-7", "tree", "a",
    "refs", "revision", "paths-info", "raw", "..", "%2e%2e", "%00", "0" * 64, "config.json", "docs",
    "metrics", "info", "livez", "schemes", "layers", "",
]  # fmt: skip

_PATHS = ["/v1/weights", "/v1/plan", "/v1/recipes"]


class Request(NamedTuple):
    """One request of the fuzzer's."""

    method: str
    path: str
    body: bytes | None
    headers: dict[str, str]


class Fuzzer:
    """Makes requests out of good ones; the same seed makes the same ones.

    Args:
        seed: Of its choices.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._keys = sorted({key for recipe in _SEEDS for key in _keys(recipe)})
        self._links = [link_of(parse(json.dumps(recipe))) or "" for recipe in _SEEDS]

    def request(self) -> Request:
        """Return the next request."""
        made: Callable[[], Request] = self._chance.choice(
            [self._recipe, self._recipe, self._recipe, self._text, self._file, self._address]
        )
        return made()

    def _recipe(self) -> Request:
        """A recipe with some of its values, keys or items replaced, doubled or left out."""
        recipe = deepcopy(self._chance.choice(_SEEDS))
        for _ in range(self._chance.randint(1, 4)):
            self._change(recipe)
        return self._post(json.dumps(recipe).encode())

    def _change(self, recipe: dict[str, Any]) -> None:
        places = list(_places(recipe))
        if not places:
            return
        inside, at = self._chance.choice(places)
        match self._chance.randrange(6):
            case 0:
                del inside[at]
            case 1 if isinstance(inside, dict):
                inside[self._chance.choice(self._keys)] = inside.pop(at)
            case 2 if isinstance(inside, list):
                inside.extend(inside[:50])
            case 3:
                other, there = self._chance.choice(places)
                inside[at] = deepcopy(other[there])
            case _:
                inside[at] = deepcopy(self._chance.choice(_NASTY))

    def _text(self) -> Request:
        """A recipe whose text lost, got or changed some bytes."""
        text = bytearray(json.dumps(self._chance.choice(_SEEDS)).encode())
        for _ in range(self._chance.randint(1, 5)):
            at = self._chance.randrange(len(text) + 1)
            piece = bytes(self._chance.choices(range(256), k=self._chance.randint(0, 3)))
            text[at : at + self._chance.randint(0, 9)] = piece
        return self._post(bytes(text))

    def _post(self, body: bytes) -> Request:
        path = self._chance.choice(_PATHS)
        if path == _PATHS[0] and self._chance.random() < 0.2:
            path += f"?{self._query()}"
        return Request("POST", path, body, {"Content-Type": "application/json"})

    def _file(self) -> Request:
        """A file by a link, with conditions and a range of any kind."""
        path = f"/v1/r/{self._chance.choice(self._links)}"
        if self._chance.random() < 0.5:
            names = ["model.safetensors", "recipe.json", "config.json", "manifest.json", "x"]
            path += f"/{self._chance.choice(names)}"
        if self._chance.random() < 0.4:
            path += f"?{self._query()}"
        headers = {"Range": self._range()}
        for name in ("If-Range", "If-Match", "If-None-Match"):
            if self._chance.random() < 0.1:
                headers[name] = self._chance.choice(
                    ['"x"', "*", "W/", '"', "", "p1", self._noise()]
                )
        return Request(self._chance.choice(["GET", "GET", "HEAD"]), path, None, headers)

    def _range(self) -> str:
        pick = self._chance.choice
        numbers = ["", "0", "1", "7", "99", "100000", str(2**63), "9" * 40, "-1", "x", " 1", "1e3"]
        spans = [f"{pick(numbers)}-{pick(numbers)}" for _ in range(self._chance.randint(1, 3))]
        unit = pick(["bytes=", "bytes=", "bytes=", "Bytes =", "lines=", "", "bytes"])
        return pick([unit + ",".join(spans), self._noise()])

    def _query(self) -> str:
        names = [
            "include",
            "rank",
            "world",
            "shard_size",
            "x",
            "limit",
            "after",
            "before",
            "framework",
        ]
        values = ["", "0", "1", "2", "-1", "*", "a*", "5GB", "1KiB", "9" * 30, "nan", self._noise()]
        pairs = [
            f"{self._chance.choice(names)}={quote(self._chance.choice(values))}"
            for _ in range(self._chance.randint(0, 3))
        ]
        return "&".join(pairs)

    def _address(self) -> Request:
        """A path made of pieces of paths, with any method."""
        pieces = [*_PIECES, self._links[0][:40], quote(self._noise())]
        path = "/" + "/".join(self._chance.choices(pieces, k=self._chance.randint(1, 6)))
        if self._chance.random() < 0.3:
            path += f"?{self._query()}"
        method = self._chance.choice(
            ["GET", "GET", "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"]
        )
        body = self._chance.choice([None, b"", b"{}", b'{"recipe_id": 1}', b'{"paths": ["a"]}'])
        kinds = ["application/json", "application/x-www-form-urlencoded", "", "text/plain"]
        return Request(method, path, body, {"Content-Type": self._chance.choice(kinds)})

    def _noise(self) -> str:
        return "".join(self._chance.choices(string.printable[:94], k=self._chance.randint(0, 20)))


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, list) else set()


def _places(value: Any) -> Any:
    """Yield where in a document something could stand instead: the container and the key."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for at, inner in list(items):
        yield value, at
        if isinstance(inner, dict | list):
            yield from _places(inner)


class _Tally:
    """What the answers were, and the first that should not have been."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def add(self, request: Request, status: int, took: float) -> None:
        with self._lock:
            self.statuses[status] += 1
            self.slowest = max(self.slowest, took)
            if status >= 500 or status == 0:
                self.wrong.append(f"{status}: {request}")


def _ask(server: LiveServer, fuzzer: Fuzzer, count: int, tally: _Tally) -> None:
    """Send so many requests over connections that are kept while answers are taken whole."""
    done = 0
    while done < count:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=_HANG)) as client:
            while done < count:
                request, started = fuzzer.request(), time.monotonic()
                done += 1
                try:
                    client.request(*request)
                    answer = client.getresponse()
                    answer.read(_TAKEN)
                    status = answer.status
                except OSError:  # no answer in time, or none at all
                    status = 0
                tally.add(request, status, time.monotonic() - started)
                if not status or not answer.isclosed():
                    break


def fuzz(count: int, seed: int = 1, clients: int = 4) -> Figure:
    """Send so many requests, and see that the server is well afterwards."""
    tally, started = _Tally(), time.monotonic()
    with live_server("--max-bodies", "1000") as server:
        with ThreadPoolExecutor(clients) as pool:
            each = count // clients
            jobs = [
                pool.submit(_ask, server, Fuzzer(seed * 1_000 + i), each, tally)
                for i in range(clients)
            ]
            for job in jobs:
                job.result()
        assert server.get("/livez") == {"status": "ok"}
        defects = [line for line in server.log if "Traceback" in line]
        rss = server.rss
    for wrong in (tally.wrong + defects)[:5]:
        print(wrong[:600], "…", wrong[-900:])
    groups = Counter[str]()
    for status, number in tally.statuses.items():
        groups[f"{status // 100}xx" if status else "none"] += number
    answers = ", ".join(f"{number:,} {group}" for group, number in sorted(groups.items()))
    return Figure(
        f"{tally.statuses.total():,} fuzzed requests",
        f"{answers}; the slowest {tally.slowest:.1f} s, {rss / 1e6:.0f} MB,"
        f" {(time.monotonic() - started) / 60:.1f} min",
        "no 5xx, none unanswered",
        not tally.wrong and not defects,
    )
