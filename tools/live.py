"""A real server on a free port, for the demo, the soak and the tests; ended by its own id."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_PATIENCE = 60
"""Seconds for a server to start and to end."""

_LINES = 20_000
"""Lines of a server's log that are kept."""


class LiveServer:
    """A ``tensorseed serve`` process.

    Args:
        url: Where it listens.
        process: The process itself.
        lines: What it writes.
    """

    def __init__(self, url: str, process: "subprocess.Popen[str]", lines: deque[str]) -> None:
        self.url = url
        self.process = process
        self._lines = lines

    @property
    def log(self) -> list[str]:
        """What it has written lately, line by line."""
        return list(self._lines)

    @property
    def port(self) -> int:
        """The port that the system chose."""
        return int(self.url.rpartition(":")[2])

    @property
    def rss(self) -> int:
        """Resident memory in bytes."""
        import psutil  # noqa: PLC0415 - for development only, and the demo runs without

        return int(psutil.Process(self.process.pid).memory_info().rss)

    def cpu_seconds(self) -> float:
        """Return the processor time spent so far, in seconds."""
        import psutil  # noqa: PLC0415

        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def opened(self, path: str) -> Any:
        """Return the open response to a GET."""
        return urllib.request.urlopen(self.url + path, timeout=120)

    def get(self, path: str) -> Any:
        """Return the document that a path answers with."""
        with self.opened(path) as response:
            return json.load(response)

    def post(self, path: str, recipe: Any) -> Any:
        """Return the open response to a recipe: a document, or its text as bytes."""
        body = recipe if isinstance(recipe, bytes) else json.dumps(recipe).encode()
        request = urllib.request.Request(
            self.url + path, body, {"Content-Type": "application/json"}
        )
        return urllib.request.urlopen(request, timeout=120)


def _wait_for(port: int) -> None:
    end = time.monotonic() + _PATIENCE
    with socket.socket() as probe:
        while probe.connect_ex(("127.0.0.1", port)):
            if time.monotonic() > end:
                raise RuntimeError("the server does not listen")


@contextmanager
def live_server(
    *flags: str, module: tuple[str, ...] = ("service", "serve"), **environment: str
) -> Iterator[LiveServer]:
    """Serve on a free port until the block ends.

    Args:
        flags: For ``tensorseed serve``.
        module: What serves, and its first arguments.
        environment: Variables; the settings of this process's own are left out.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TENSORSEED_")}
    with tempfile.TemporaryDirectory() as folder:  # no registry but its own
        process = subprocess.Popen(
            [sys.executable, "-m", *module, "--port", "0", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**inherited, "TENSORSEED_DATA_DIR": folder, **environment},
        )
        assert process.stdout is not None
        log: deque[str] = deque(maxlen=_LINES)
        reader = threading.Thread(target=log.extend, args=(process.stdout,), daemon=True)
        try:
            for line in process.stdout:
                log.append(line)
                if found := re.search(r"running on (http://127\.0\.0\.1:\d+)", line):
                    break
            else:
                raise RuntimeError(f"the server ended before it was ready: {''.join(log)}")
            _wait_for(int(found[1].rpartition(":")[2]))  # workers listen only later
            reader.start()  # or it would wait once its pipe is full
            yield LiveServer(found[1], process, log)
        finally:
            process.terminate()
            process.wait(_PATIENCE)
            if reader.ident:
                reader.join()
            process.stdout.close()
