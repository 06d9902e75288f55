"""What the tests share: small recipes, whole files, live servers."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

import service

ROOT = Path(__file__).parents[1]
NORMAL = {"scheme": "normal", "std": 0.02}


def recipe_of(*tensors: dict[str, Any], seed: Any = 0, **members: Any) -> dict[str, Any]:
    return {"seed": seed, "tensors": list(tensors), **members}


def tensor(
    init: Any = NORMAL, shape: Any = (7,), name: str = "w", **members: Any
) -> dict[str, Any]:
    made = {"name": name, "shape": list(shape), **members}
    return made if init is None else made | {"init": init}


def plan_of(recipe: Any, **limits: int) -> service.Plan:
    table = service.Limits(**limits)
    return service.compile(service.parse(recipe, table), table)


def file_of(recipe: Any) -> bytes:
    return b"".join(service.stream(plan_of(recipe)))


def data_of(recipe: Any) -> bytes:
    plan = plan_of(recipe)
    return b"".join(service.stream(plan, (len(plan.header), plan.nbytes)))


def problems_of(recipe: Any, **limits: int) -> dict[str, str]:
    """Return what a recipe is refused for, by pointer; empty if it is not."""
    try:
        plan_of(recipe, **limits)
    except service.InvalidRecipe as error:
        return {problem.pointer: problem.detail for problem in error.problems}
    return {}


class LiveServer:
    """A ``tensorseed serve`` process."""

    def __init__(self, url: str, process: subprocess.Popen[str]) -> None:
        self.url = url
        self.process = process

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def rss(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def post(self, path: str, recipe: Any) -> Any:
        return urllib.request.urlopen(  # the caller closes it
            urllib.request.Request(
                self.url + path,
                json.dumps(recipe).encode(),
                {"Content-Type": "application/json"},
            ),
            timeout=120,
        )


@contextmanager
def live_server(*flags: str) -> Iterator[LiveServer]:
    """Serve on a free port until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "serve", "--port", "0", *flags],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("TENSORSEED_")},
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"running on (http://127\.0\.0\.1:\d+)", line):
                yield LiveServer(found[1], process)
                return
        raise AssertionError("the server ended before it was ready")
    finally:
        process.terminate()
        process.communicate(timeout=60)
