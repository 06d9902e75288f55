"""Run all of it, or what is named, print what was found, and end with status 1 if it fell short."""

import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.table import Table

from tools.torture.figure import Figure
from tools.torture.ranges import ranges
from tools.torture.replicas import resumes
from tools.torture.sizes import sizes

PIECES: dict[str, Callable[[], list[Figure]]] = {
    "ranges": lambda: [ranges(10_000)],
    "sizes": sizes,
    "resumes": lambda: [resumes(200)],
}


def _found(names: list[str]) -> Iterator[Figure]:
    for name in names:
        for figure in PIECES[name]():
            print(f"{figure.what}: {figure.seen}", file=sys.stderr)
            yield figure


def _verdict(figure: Figure) -> str:
    return ("holds" if figure.holds else "SHORT") if figure.promised else ""


def main() -> None:
    """Print the table of what was found."""
    found = list(_found(sys.argv[1:] or list(PIECES)))
    table = Table("what", "seen", "promised", "")
    for figure in found:
        table.add_row(*figure[:3], _verdict(figure))
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    raise SystemExit(not all(figure.holds for figure in found))


if __name__ == "__main__":
    main()
