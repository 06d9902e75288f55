"""A service that serves a folder, and fails as it is told to."""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

COMMIT = "0123456789" * 4
NAME = "me/mlp"


class Asked(NamedTuple):
    """What a client asked."""

    method: str
    path: str
    headers: Message

    @property
    def start(self) -> int:
        """Where the range begins that it asked for."""
        return int(self.headers.get("Range", "bytes=0-")[6:-1])


class Answer(NamedTuple):
    """What it is about to be told."""

    status: int
    headers: dict[str, str]
    body: bytes


Fault = Callable[[Answer], Answer | None]
"""Changes an answer to a GET of weights; the connection is cut after a body that is too short."""


class Faulty(ThreadingHTTPServer):
    """A service whose answers to GETs of weights are spoilt, one fault after another.

    Args:
        folder: Its files.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.faults: list[Fault] = []
        self.head: Fault = lambda answer: answer
        self.post: Answer | None = None
        self.asked: list[Asked] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def got(self) -> list[Asked]:
        """Return the GETs of weights."""
        return [a for a in self.asked if a.method == "GET" and a.path.endswith(".safetensors")]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep silent: clients go."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Faulty

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_HEAD(self) -> None:
        """Describe a file."""
        self._send(self.server.head(self._answer()), is_head=True)

    def do_GET(self) -> None:
        """Send a file, spoilt if it has weights and a fault is left."""
        answer: Answer | None = self._answer()
        if self.server.faults and self.path.endswith(".safetensors"):
            assert answer is not None
            answer = self.server.faults.pop(0)(answer)
        self._send(answer)

    def do_POST(self) -> None:
        """Answer as told."""
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.post is None:
            self.send_error(501, "Unsupported method")
        else:
            self._send(self.server.post)

    def _answer(self) -> Answer:
        asked = Asked(self.command, self.path, self.headers)
        self.server.asked.append(asked)
        path = self.server.folder / self.path.rpartition("/")[2]
        commit = {"X-Repo-Commit": COMMIT}
        if not path.is_file():
            return Answer(404, commit | {"Content-Length": "0"}, b"")
        text = path.read_bytes()
        etag = etag_of(text)
        start = asked.start if self.headers.get("If-Range", etag) == etag else 0
        headers = commit | {"ETag": etag, "Content-Length": str(len(text) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(text) - 1}/{len(text)}"
        return Answer(206 if start else 200, headers, text[start:])

    def _send(self, answer: Answer | None, *, is_head: bool = False) -> None:
        self.close_connection = answer is None
        if answer is None:
            return
        self.send_response(answer.status)
        for header in answer.headers.items():
            self.send_header(*header)
        self.end_headers()
        if not is_head:
            self.wfile.write(answer.body)
            self.close_connection = answer.headers.get("Content-Length") != str(len(answer.body))


def etag_of(text: bytes) -> str:
    return f'"p1-{hashlib.sha256(text).hexdigest()}"'


def digest_of(text: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(text).digest()).decode()}:"


def cut(at: int) -> Fault:
    """Return a fault that ends the connection after so many bytes of a body."""
    return lambda answer: answer._replace(body=answer.body[:at])


def told(status: int, **headers: str) -> Fault:
    """Return a fault that answers something else."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Answer(status, {"Content-Length": "0"} | named, b"")


def with_headers(**headers: str) -> Fault:
    """Return a fault that changes headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda answer: answer._replace(headers=answer.headers | named)


@contextmanager
def faulty(folder: Path) -> Iterator[Faulty]:
    """Serve a folder until the block ends."""
    with Faulty(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
