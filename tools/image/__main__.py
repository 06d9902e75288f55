"""Run the checks apart from this machine: ``python -m tools.image``; exit status 1 on a failure.

What runs is in mount and process namespaces that end with it, however that is: no mount is left and
no process, neither a build's nor the server's.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

NEEDED = ("buildah", "debootstrap", "unshare", "nsenter", "setpriv")
APART = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child")
"""Ends with this process, and everything in it with its first."""


def cache() -> Path:
    """Return the folder that keeps images, made if need be."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    named = os.environ.get("TENSORSEED_IMAGE_CACHE") or f"{home}/tensorseed-image"
    folder = Path(named).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run_apart(kept: Path, folder: str) -> int:
    """Return the exit status of the checks, run in namespaces of their own."""
    command = [*APART, "--mount-proc", sys.executable, "-m", "tools.image.checks"]
    # A session of its own: what interrupts make ends this process first, and that in order.
    process = subprocess.Popen([*command, str(kept), folder], start_new_session=True)
    try:
        return process.wait()
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Check the image and exit."""
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        sys.exit(f"the image is built with {', '.join(missing)}: not installed here")
    if os.geteuid():
        sys.exit("only root may mount what the image is built and started on")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    kept = cache()
    with (
        (kept / "lock").open("w") as lock,
        tempfile.TemporaryDirectory(prefix="image-", ignore_cleanup_errors=True) as folder,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run's containers would be in the way
        sys.exit(run_apart(kept, folder))


if __name__ == "__main__":
    main()
