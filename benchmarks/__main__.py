"""``python -m benchmarks``: measure everything, print the table, write it with its date."""

import platform
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import service
from benchmarks import kernel, matrices, planning, plot, wire
from benchmarks.measure import Row
from service.backends import kernel as chosen
from tools.machine import machine

RESULTS = Path(__file__).parent / "results"


def _measured() -> Iterator[Row]:
    for page in (kernel, matrices, wire, planning):
        for row in page.rows():
            print(f"{row.what}: {row.ours or row.theirs} {row.ratio}", file=sys.stderr)
            yield row


def _verdict(row: Row) -> str:
    return {True: "reached", False: "short", None: ""}[row.reached]


def main() -> None:
    """Run the benchmarks."""
    today = datetime.now(UTC).date().isoformat()
    slug = re.sub(r"\W+", "-", machine().lower()).strip("-")
    listed = list(_measured())
    columns = ("what", "tensorseed", "beside it, same run", "ratio", "goal", "")
    cells = [(r.what, r.ours, r.theirs, r.ratio, r.goal, _verdict(r)) for r in listed]
    table = Table(*columns)
    for row in cells:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    picture = RESULTS / f"{today}-{slug}.png"
    plot.draw(picture, machine())
    about = (
        f"tensorseed {service.__version__}, kernel {chosen().name}, on {machine()};"
        f" Python {platform.python_version()}, NumPy {np.__version__}, {platform.system()}"
        f" {platform.release()}. Server and client share the cores. Each row was measured turn by"
        " turn with what stands beside it: quote the ratios, the rest depends on the hour."
    )
    lines = [
        f"# Benchmarks of {today}", "", about, "",
        f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(row)} |" for row in cells), "",
        f"![throughput against chunk size and clients]({picture.name})", "",
    ]  # fmt: skip
    picture.with_suffix(".md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
