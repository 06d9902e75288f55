"""A service that serves a folder, and injects faults."""

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


class Received(NamedTuple):
    """A request of the client."""

    method: str
    path: str
    headers: Message

    @property
    def start(self) -> int:
        """First byte of the requested range."""
        return int(self.headers.get("Range", "bytes=0-")[6:-1])


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes


Fault = Callable[[Answer], Answer | None]
"""Changes the response to a GET of weights. After too short a body the connection is closed."""


class Faulty(ThreadingHTTPServer):
    """A service that injects one fault into each response to a GET of weights.

    Args:
        folder: The files to serve.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.faults: list[Fault] = []
        self.head: Fault = lambda answer: answer
        self.post: Answer | None = None
        self.requests: list[Received] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def downloads(self) -> list[Received]:
        """Return the GETs of weights."""
        return [r for r in self.requests if r.method == "GET" and r.path.endswith(".safetensors")]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing: clients may disconnect."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Faulty

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_HEAD(self) -> None:
        """Send the headers of a file."""
        self._send(self.server.head(self._answer()), is_head=True)

    def do_GET(self) -> None:
        """Send a file; inject the next fault, if any, if it is a file of weights."""
        answer: Answer | None = self._answer()
        if self.server.faults and self.path.endswith(".safetensors"):
            assert answer is not None
            answer = self.server.faults.pop(0)(answer)
        self._send(answer)

    def do_POST(self) -> None:
        """Send the response that the test set."""
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.post is None:
            self.send_error(501, "Unsupported method")
        else:
            self._send(self.server.post)

    def _answer(self) -> Answer:
        request = Received(self.command, self.path, self.headers)
        self.server.requests.append(request)
        path = self.server.folder / self.path.rpartition("/")[2]
        commit = {"X-Repo-Commit": COMMIT}
        if not path.is_file():
            return Answer(404, commit | {"Content-Length": "0"}, b"")
        text = path.read_bytes()
        etag = etag_of(text)
        start = request.start if self.headers.get("If-Range", etag) == etag else 0
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
    """Return a fault that closes the connection after ``at`` bytes of the body."""
    return lambda answer: answer._replace(body=answer.body[:at])


def responding(status: int, **headers: str) -> Fault:
    """Return a fault that sends another response."""
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
