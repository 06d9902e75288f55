"""A PostgreSQL server for tests, which can be stopped, killed and frozen.

It listens on a socket in its folder and on no port, and is stopped by its process id.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psutil

USER = "postgres"
_LIMIT = 60
"""Seconds for a step of starting or stopping the server."""


class NoPostgres(Exception):
    """PostgreSQL is not installed, or may not run."""


class Postgres:
    """A running server.

    Args:
        binaries: Folder of ``initdb`` and ``postgres``.
        folder: Folder of its data and its socket.
    """

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._count = 0

    @property
    def url(self) -> str:
        """URL of the database that every server has."""
        return self._url("postgres")

    def database(self, definition: str = "") -> str:
        """Return the URL of a new and empty database."""
        import psycopg

        self._count += 1
        name = f"made{self._count}"
        with psycopg.connect(host=str(self._folder), user=USER, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" {definition}'.encode())
        return self._url(name)

    def initialize(self) -> None:
        """Create the server's data folder."""
        self._run("initdb", "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync")

    def start(self) -> None:
        """Start the server; return when it accepts connections."""
        flags = {
            "listen_addresses": "",
            "unix_socket_directories": self._folder,
            "fsync": "off",  # data survives a killed process, but not a power failure
            "max_connections": "64",
            "shared_buffers": "16MB",
            "lc_messages": "C",
        }
        options = [f"--{name}={value}" for name, value in flags.items()]
        self._process = subprocess.Popen(
            [self._binaries / "postgres", "-D", self._folder / "data", *options],
            stderr=subprocess.PIPE,
            text=True,
            **_as_owner(),
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "ready to accept connections" in line:
                break
        else:
            raise RuntimeError("PostgreSQL ended before it was ready")
        self._reader = threading.Thread(target=_forget, args=(self._process.stderr,), daemon=True)
        self._reader.start()

    def stop(self) -> None:
        """Stop the server and close all its connections."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill all its processes at once, like a crash of the machine."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop its processes: it keeps connections and accepts new ones, but does not respond."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue its processes."""
        self._send(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        children = psutil.Process(self._process.pid).children()
        if number == signal.SIGKILL:
            self._send(number)
        else:
            self.thaw()
            self._process.send_signal(number)
        self._process.wait(_LIMIT)
        while any(_is_alive(each) for each in children):  # they still hold the shared memory
            continue
        self._reader.join(_LIMIT)
        self._process = None

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        postmaster = psutil.Process(self._process.pid)
        for each in (postmaster, *postmaster.children()):
            try:
                each.send_signal(number)
            except psutil.NoSuchProcess:  # a connection that has just ended
                continue

    def _url(self, name: str) -> str:
        return f"postgresql://{USER}@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, "-D", self._folder / "data", *arguments],
            check=True,
            capture_output=True,
            timeout=_LIMIT,
            **_as_owner(),
        )


@contextmanager
def running_postgres(folder: Path | None = None) -> Iterator[Postgres]:
    """Run a server until the block ends.

    Args:
        folder: An empty folder with a short path; a temporary one if left out. If the tests run as
            root, the server runs as another user, who needs access to it.

    Raises:
        NoPostgres: PostgreSQL is not installed, or there is no user to run it as.
    """
    server_binaries = binaries()
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="pg") as made, running_postgres(Path(made)) as it:
            yield it
        return
    if os.geteuid() == 0:
        shutil.chown(folder, USER)
    server = Postgres(server_binaries, folder)
    server.initialize()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def binaries() -> Path:
    """Return the folder with the newest installed server.

    Raises:
        NoPostgres: None is installed, or it may not run.
    """
    if os.name != "posix":
        raise NoPostgres("PostgreSQL's tests need sockets in the file system")
    if importlib.util.find_spec("psycopg") is None:
        raise NoPostgres("PostgreSQL's driver is not installed")
    path = [Path(each) for each in os.environ.get("PATH", "").split(os.pathsep)]
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    programs = "initdb", "postgres"
    found = (
        f for f in [*path, *packaged] if all(os.access(f / each, os.X_OK) for each in programs)
    )
    folder = next(found, None)
    if folder is None:
        raise NoPostgres("there is no PostgreSQL here: neither initdb nor postgres is found")
    if os.geteuid() == 0 and not _is_user(USER):
        raise NoPostgres(f"PostgreSQL does not run as root, and there is no user {USER}")
    return folder


def _forget(lines: IO[str]) -> None:
    with lines:
        for _ in lines:
            continue


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _version(folder: Path) -> int:
    number = folder.parent.name.partition(".")[0]
    return int(number) if number.isdecimal() else 0


def _is_user(name: str) -> bool:
    import pwd

    return any(entry.pw_name == name for entry in pwd.getpwall())


def _as_owner() -> dict[str, Any]:
    environment = {**os.environ, "LC_ALL": "C"}
    if os.geteuid() != 0:
        return {"env": environment}
    return {"env": environment, "user": USER, "group": USER, "extra_groups": [], "cwd": "/"}
