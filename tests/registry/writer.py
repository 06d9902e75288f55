"""A process that writes to a registry: ``python -m tests.registry.writer URL NAME [COUNT]``.

It prints ``ready``, waits for a line, and then points ``lab/shared`` to one recipe after another.
It prints each revision's number and recipe id once it is committed, or ``conflict``.
"""

import hashlib
import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import RevisionConflict
from service.registry import Registry

SHARED = "lab", "shared"


def main(url: str, name: str, count: str = "1000000") -> None:
    print("ready", flush=True)
    input()
    registry = Registry(url)
    for each in itertools.islice(texts(name), int(count)):
        recipe_id = put(registry, each)
        try:
            revision, _ = registry.point(*SHARED, recipe_id)
        except RevisionConflict:
            print("conflict", flush=True)
        else:
            print(revision.number, recipe_id, flush=True)
    registry.close()


def texts(name: str) -> Iterator[bytes]:
    """Return texts of recipes that no other writer has."""
    return (f"{name} {number}".encode() for number in itertools.count())


def put(registry: Registry, text: bytes) -> str:
    recipe_id = hashlib.sha256(text).hexdigest()
    registry.put_recipe(recipe_id, text)
    return recipe_id


@contextmanager
def writers(
    url: str, *names: str, count: int | None = None
) -> Iterator[list["subprocess.Popen[str]"]]:
    """Start processes that begin to write when all of them are ready."""
    arguments = [] if count is None else [str(count)]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.registry.writer", url, name, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    try:
        for each in started:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in started:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        yield started
    finally:
        for each in started:
            each.kill()
            each.communicate(timeout=60)


if __name__ == "__main__":
    main(*sys.argv[1:])
