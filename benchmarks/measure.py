"""How a row of the table is measured: turn by turn with its peer, so that noise meets both."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Timed = Callable[[], float]
"""Runs once and returns seconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Args:
        what: What was measured.
        ours: Our figure, with its unit.
        theirs: The peer's, with its name; or ``skipped`` and why.
        ratio: What the goal is about; None where there is nothing to compare with.
        goal: In words.
        reached: Whether it is; None where there is no goal.
    """

    what: str
    ours: str
    theirs: str = ""
    ratio: str = ""
    goal: str = ""
    reached: bool | None = None


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turn(*timed: Timed, rounds: int) -> list[list[float]]:
    """Return the times of each, measured in turns after one round that does not count."""
    for run in timed:
        run()
    turns = [[run() for run in timed] for _ in range(rounds)]
    return [list(times) for times in zip(*turns, strict=True)]


def speedup(ours: list[float], theirs: list[float]) -> float:
    """Return how many times faster ours are: the median of the turns' ratios."""
    return statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
