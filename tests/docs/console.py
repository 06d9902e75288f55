"""Runs the console examples of a page: ``$`` commands with the output printed below them.

````
```console
$ command
output, where … stands for anything
```
````

A block marked ``console norun`` needs something a test has not: every one is listed, with its
reason, in `test_pages.py`.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```console( norun)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass
class Step:
    """One command with the output that the page prints."""

    command: str
    expected: list[str]


def steps(page: str, *, norun: bool) -> list[Step]:
    """Return a page's commands, those to run or those marked ``norun``."""
    found: list[Step] = []
    for mark, block in _BLOCK.findall(page):
        if bool(mark) is norun:
            for line in block.splitlines():
                if line.startswith("$ "):
                    found.append(Step(line[2:], []))
                else:
                    found[-1].expected.append(line)
    return found


def run(step: Step, folder: Path, port: int, path: str) -> None:
    """Run a command against the server on ``port`` and compare what it prints."""
    command = step.command.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}"},
        timeout=120,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    printed = done.stdout.splitlines()
    assert len(printed) == len(step.expected), f"{command}\n{done.stdout}"
    for line, expected in zip(printed, step.expected, strict=True):
        pattern = ".*".join(map(re.escape, expected.split("…")))
        assert re.fullmatch(pattern, line), f"{command}\n{line!r} is not {expected!r}"
