"""Serve, POST the GPT-2 recipe, save the file, compare each tensor's std with the plan's, stop."""

import json
import math
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from tools.live import LiveServer, live_server

RECIPE = Path("examples/recipes/gpt2-small.json")
OUTPUT = Path("gpt2-small.safetensors")
COLUMNS = ("shape", "scheme", "std", "measured", "sigmas")


def download(server: LiveServer, console: Console) -> None:
    """Save the answer to the recipe, as any client would."""
    with (
        server.post("/v1/weights", RECIPE.read_bytes()) as response,
        OUTPUT.open("wb") as file,
        Progress(console=console) as progress,
    ):
        task = progress.add_task("POST /v1/weights", total=int(response.headers["Content-Length"]))
        while piece := response.read(1 << 20):
            file.write(piece)
            progress.advance(task, len(piece))
        console.print(f"{OUTPUT}: {OUTPUT.stat().st_size:,} bytes, ETag {response.headers['ETag']}")


def show(server: LiveServer, console: Console) -> bool:
    """Print expected and measured std of every tensor; return whether all agree."""
    with server.post("/v1/plan", RECIPE.read_bytes()) as response:
        plan = json.load(response)
    data = np.memmap(OUTPUT, mode="r", offset=plan["header_bytes"])
    table = Table(
        Column("tensor", overflow="fold"), *(Column(name, no_wrap=True) for name in COLUMNS)
    )
    agree = True
    for row in plan["tensors"]:
        begin, end = row["data_offsets"]
        values = data[begin:end].view("<f4").astype(np.float64)
        measured = values.std()
        # The standard error of a normal sample's std is std / sqrt(2n).
        off = (measured - row["std"]) / (row["std"] / math.sqrt(2 * values.size) or 1.0)
        agree &= abs(off) < 5
        table.add_row(
            row["name"],
            "x".join(map(str, row["shape"])),
            row["scheme"],
            f"{row['std']:.6f}",
            f"{measured:.6f}",
            f"{off:+.2f}",
        )
    console.print(table)
    return agree


def main() -> None:
    """Run the demo; exit with status 1 if a tensor is off by five standard errors."""
    console = Console()
    with live_server() as server:
        console.print(f"serving on {server.url}")
        download(server, console)
        agree = show(server, console)
    console.print("every std is as planned" if agree else "a std is not as planned")
    raise SystemExit(not agree)


if __name__ == "__main__":
    main()
