"""Commands that must not fail."""

import subprocess
from pathlib import Path
from typing import Any


class CannotRun(Exception):
    """A step without which nothing further can be checked has failed."""


def output(*command: str | Path, **options: Any) -> str:
    """Return what a command prints.

    Raises:
        CannotRun: It failed; the last of what it said is in the message.
    """
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    done = subprocess.run([str(part) for part in command], check=False, **options)
    if done.returncode:
        said = "\n".join(f"{done.stdout}{done.stderr}".splitlines()[-40:])
        raise CannotRun(f"{command[0]} exited with status {done.returncode}:\n{said}")
    return str(done.stdout)
