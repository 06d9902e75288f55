"""Run all stress tests, or the named ones, and print a table of the results.

The exit status is 1 if a result misses its goal. After a run of all tests, the table is written to
docs/reliability.md with the date.
"""

import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

import service
from service.backends import kernel
from tools.machine import machine
from tools.torture.figure import Figure
from tools.torture.fuzz import fuzz
from tools.torture.ranges import ranges
from tools.torture.replicas import resumes
from tools.torture.sizes import sizes
from tools.torture.stalls import stalls, streams

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
MARK = "<!-- From here on the page is made by make torture. -->\n"

TESTS: dict[str, Callable[[], list[Figure]]] = {
    "stalls": lambda: [*stalls(1_000), streams(1_000)],
    "sizes": sizes,
    "ranges": lambda: [ranges(10_000)],
    "fuzz": lambda: [fuzz(100_000)],
    "resumes": lambda: [resumes(1_000)],
}


def _figures(names: list[str]) -> Iterator[Figure]:
    for name in names:
        for figure in TESTS[name]():
            print(f"{figure.what}: {figure.seen}", file=sys.stderr)
            yield figure


def _verdict(figure: Figure) -> str:
    return ("holds" if figure.holds else "SHORT") if figure.promised else ""


def _write(rows: Sequence[tuple[str, ...]]) -> None:
    head, mark, _ = PAGE.read_text("utf-8").partition(MARK)
    today = datetime.now(UTC).date().isoformat()
    about = (
        f"{today}, tensorseed {service.__version__}, kernel {kernel().name}, on {machine()}, Python"
        f" {platform.python_version()}. Server and clients share the cores."
    )
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    table = f"| what | seen | promised |  |\n|---|---|---|---|\n{lines}"
    PAGE.write_text(f"{head}{mark}\n{about}\n\n{table}", "utf-8")


def main() -> None:
    """Run the tests and print the table of results."""
    names = sys.argv[1:] or list(TESTS)
    figures = list(_figures(names))
    rows = [(figure.what, figure.seen, figure.promised, _verdict(figure)) for figure in figures]
    table = Table("what", "seen", "promised", "")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    if set(names) == set(TESTS):
        _write(rows)
    raise SystemExit(not all(figure.holds for figure in figures))


if __name__ == "__main__":
    main()
