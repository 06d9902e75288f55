"""How the command meets a terminal: tables, bars for what takes a while, and how it ends."""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

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

_SHOW_PROGRESS_FROM = 32 * 2**20


def print_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows under the names of their columns."""
    table = Table(*(Column(name, overflow="fold") for name in columns))  # names stay whole
    for row in rows:
        table.add_row(*map(Text, row))
    # Piped, a table is as wide as it needs to be: a program reads it, not a screen.
    Console(width=None if sys.stdout.isatty() else 10_000).print(table)


def exit_on_termination(status: int) -> None:
    """Let SIGTERM end this process with a status, by way of all clean-up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(status))


@contextmanager
def progress(nbytes: int, what: str) -> Iterator[Callable[[int], object] | None]:
    """Show how many of so many bytes are done, if that takes a while and somebody looks.

    Args:
        nbytes: All of them.
        what: What is done with them.

    Yields:
        What is to be called with the bytes of each step; None where nothing is shown.
    """
    if nbytes < _SHOW_PROGRESS_FROM or not sys.stderr.isatty():
        yield None
        return
    columns = (what, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=nbytes)
        yield lambda size: bar.advance(task, size)
