"""The image's server, running: on a read-only root, as the image's user, as PID 1."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from tools.image.commands import CannotRun

DRAIN = 30
"""Seconds that a server has to end: the default of its setting drain_timeout."""

# $1 root, $2 where it is mounted, $3 volume, $4 user:group, then the command.
START = """
mount --bind "$1" "$2"
mount -o remount,bind,ro "$2"
mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev,noexec tmpfs "$2/tmp"
mount --bind "$3" "$2/data"
mount -t proc -o nosuid,nodev,noexec proc "$2/proc"
mount -t tmpfs -o mode=755,size=64k,nosuid,noexec tmpfs "$2/dev"
for node in null zero full random urandom; do
    : > "$2/dev/$node"
    mount --bind "/dev/$node" "$2/dev/$node"
done
mount -o remount,ro "$2/dev"
stage=$2 user=$4
shift 4
exec setpriv --no-new-privs chroot --userspec="$user" --groups="${user#*:}" "$stage" "$@"
"""


class Container:
    """A server of the image on a free port.

    Args:
        root: The image's files.
        volume: What is mounted on /data.
        config: The image's configuration.
        folder: Where its root is mounted, for itself alone, and where its log lies.
    """

    def __init__(self, root: Path, volume: Path, config: dict[str, Any], folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._environment = dict(entry.split("=", 1) for entry in config["Env"])
        # Not 0.0.0.0: the network is this machine's.
        self._environment |= {
            "TENSORSEED_HOST": "127.0.0.1",
            "TENSORSEED_PORT": str(self._port),
        }
        self._user = str(config["User"])
        self._stop_signal = signal.Signals[config["StopSignal"]]
        stage = folder / "stage"
        stage.mkdir(exist_ok=True)
        self._log = folder / "log"
        command = ["unshare", "--mount", "--pid", "--ipc", "--fork", "sh", "-euc", START, "sh"]
        command += [str(root), str(stage), str(volume), self._user]
        command += [*config["Entrypoint"], *config["Cmd"]]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=self._environment
            )

    @property
    def pid(self) -> int:
        """The server's process, as numbered outside.

        Raises:
            CannotRun: It has ended.
        """
        for pid in self._children():
            return pid
        raise CannotRun(f"the container has ended:\n{self.log}")

    @property
    def log(self) -> str:
        """The last that it wrote."""
        return self._log.read_text()[-4000:]

    def _children(self) -> list[int]:
        own = self._process.pid
        return [int(pid) for pid in Path(f"/proc/{own}/task/{own}/children").read_text().split()]

    def inside(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in the container, as its user."""
        user, _, group = self._user.partition(":")
        entered = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--root", "--wd"]
        return subprocess.run(
            [*entered, f"--setuid={user}", f"--setgid={group}", "--", *command],
            env={**self._environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def opened(self, path: str, body: bytes | None = None) -> Any:
        """Return the open response to a GET, or to a POST of a recipe."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", body, headers)
        return urllib.request.urlopen(request, timeout=60)

    def wait_until_ready(self) -> None:
        """Wait until it takes work.

        Raises:
            CannotRun: It ended, or a minute has passed.
        """
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self.opened("/readyz").close()
            except OSError:  # of which urllib's errors are
                time.sleep(0.02)
            else:
                return
        raise CannotRun(f"the container is not ready:\n{self.log}")

    def stop(self) -> None:
        """Send it the image's signal to end."""
        os.kill(self.pid, self._stop_signal)

    def wait(self) -> int | None:
        """Return its exit status, or None if it does not end in time."""
        try:
            return self._process.wait(DRAIN)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """End it at once, if it runs."""
        if self._process.poll() is None:
            for pid in self._children():
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
