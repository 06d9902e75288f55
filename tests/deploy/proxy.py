"""deploy/nginx.conf run for real, on a free port, before replicas that Docker's names stand for."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import ROOT, wait_until
from tools.live import LiveServer

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
PATIENCE = 30
"""Seconds for an answer."""


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Proxy(NamedTuple):
    """A running nginx and the folder in which it keeps its files."""

    port: int
    folder: Path

    def ask(
        self,
        path: str,
        document: Any = None,
        method: str | None = None,
        source: str = "127.0.0.1",
        **headers: str,
    ) -> Answer:
        """Return the answer to a request over a connection of its own, from a source address."""
        body = None if document is None else json.dumps(document).encode()
        if body is not None:
            headers = {"Content-Type": "application/json", **headers}
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=PATIENCE, source_address=(source, 0)
        )
        try:
            method = method or ("GET" if body is None else "POST")
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """Return an open connection."""
        address = ("127.0.0.1", self.port)
        return socket.create_connection(address, PATIENCE, source_address=(source, 0))


@contextmanager
def proxy(
    folder: Path, replicas: list[LiveServer], changes: Mapping[str, str] | None = None
) -> Iterator[Proxy]:
    """Run nginx before replicas.

    Args:
        folder: Where it may keep files.
        replicas: What it stands before.
        changes: Texts of the configuration, each there once, and what stands in their places.
    """
    port = free_port()
    ports = [replica.port for replica in replicas]
    user = " user root;" if os.geteuid() == 0 else ""  # or it could not write below `folder`
    config = (ROOT / "deploy/nginx.conf").read_text("utf-8")
    config, count = re.subn(
        r"server tensorseed:8000 resolve(.*);",
        lambda one: "".join(f"server 127.0.0.1:{port}{one[1]};" for port in ports),
        config,
    )
    assert count == 1
    for found, put in {
        "resolver 127.0.0.11 valid=5s;": "",
        "listen 8000;": f"listen 127.0.0.1:{port};",
        "worker_processes auto;": f"worker_processes 1; daemon off;{user}",
        **(changes or {}),
    }.items():
        assert config.count(found) == 1, found
        config = config.replace(found, put)
    config = re.sub(r"/tmp/(?=nginx)", f"{folder}/", config)
    (folder / "nginx.conf").write_text(config)
    command = [NGINX or "", "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        assert wait_until(lambda: listens(port) or process.poll() is not None, 20)
        assert process.poll() is None, (folder / "nginx.log").read_text()
        yield Proxy(port, folder)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
