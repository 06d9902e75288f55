"""What is said: one line a check."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Report:
    """Lines on standard output, and how many of them say that something fails."""

    def __init__(self) -> None:
        self.failures = 0

    def check(self, claim: str, holds: object, seen: object = "") -> None:
        """Say whether a claim holds, and what was seen."""
        self.failures += not holds
        print("ok  " if holds else "FAIL", f"{claim}: {seen}" if seen != "" else claim, flush=True)

    def note(self, text: str) -> None:
        """Say what is neither right nor wrong."""
        print("    ", text, flush=True)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Say how many seconds a block took."""
        started = time.monotonic()
        yield
        self.note(f"{step}: {time.monotonic() - started:.1f} s")
