"""Output to a terminal: tables, charts and progress bars."""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.bar import Bar
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column, Table
from rich.text import Text

_BAR = 24
"""Characters of a bar."""

_SHOW_PROGRESS_FROM = 32 * 2**20


def print_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows under their column names."""
    table = Table(*(Column(name, overflow="fold") for name in columns))  # names stay whole
    for row in rows:
        table.add_row(*map(Text, row))
    # In a pipe a table is as wide as it needs to be, for programs that read it.
    Console(width=None if sys.stdout.isatty() else 10_000).print(table)


def print_bars(columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Print numbers as bars from zero, left and right, on a scale of at least 1.

    Args:
        columns: The name of the first column, then of each number.
        rows: A text and numbers; None for an absent number.
    """
    table = Table(columns[0])
    known = [[n for n in column if n is not None] for column in zip(*rows, strict=True)][1:]
    ranges = [(min(0.0, *each), max(0.0, *each)) if each else (0.0, 0.0) for each in known]
    for name in columns[1:]:
        table.add_column(name, justify="right")
        table.add_column("", width=_BAR)
    for name, *values in rows:
        cells: list[Text | Bar] = [Text(name)]
        for value, (low, high) in zip(values, ranges, strict=True):
            ends = sorted((0.0, value or 0.0))
            bar = Bar(max(1.0, high - low), ends[0] - low, ends[1] - low, width=_BAR)
            cells += [Text("zero" if value is None else f"{value:.1f}"), bar]
        table.add_row(*cells)
    Console(width=None if sys.stdout.isatty() else 10_000).print(table)


def exit_on_termination(status: int) -> None:
    """Have SIGTERM end this process with a status, after all clean-up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(status))


@contextmanager
def progress(nbytes: int, what: str) -> Iterator[Callable[[int], object] | None]:
    """Show progress in bytes, if there are many and standard error is a terminal.

    Args:
        nbytes: The total.
        what: What is being done.

    Yields:
        A function to call with the bytes of each step; None if nothing is shown.
    """
    if nbytes < _SHOW_PROGRESS_FROM or not sys.stderr.isatty():
        yield None
        return
    columns = (what, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=nbytes)
        yield lambda size: bar.advance(task, size)
