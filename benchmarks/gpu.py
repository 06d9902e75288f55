"""``python -m benchmarks.gpu``: a GPU's kernels beside torch's and CuPy's, its bus, and a server.

Its table goes to benchmarks/results/gpu, with the date and the device's name.
"""

import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import service
from benchmarks.kernel import INITS
from benchmarks.measure import Row, in_turn, seconds, speedup
from benchmarks.wire import GIB, fetch, recipe
from service.backends import kernel
from service.backends.cupy import CupyBackend
from service.numerics.memo import Memo
from service.numerics.quantile import table_bytes
from tools.live import live_server
from tools.machine import machine

RESULTS = Path(__file__).parent / "results/gpu"
COUNT = 1 << 28
"""Values a launch: a gigabyte in F32."""


def rows(cupy: Any) -> Iterator[Row]:
    """Yield the rows of the table."""
    for law, words in (("normal", (0.0, 0.02 * 2.0**-28)), ("uniform", (0.0, 2.0**-32))):
        for peer, calls in _peers(cupy).items():
            ours, theirs = in_turn(
                _launched(cupy, law, words), _synchronous(cupy, calls[law]), rounds=20
            )
            ratio = speedup(ours, theirs)
            yield Row(
                f"{law}, the kernel by itself", _rate(ours), f"{peer} {_rate(theirs)}",
                f"{ratio:.2f}x", ">= 1x" if peer == "torch" else "",
                ratio >= 1 if peer == "torch" else None,
            )  # fmt: skip
    yield _to_host(cupy)
    for law in ("normal", "uniform"):
        yield _posted(law)


def _launched(cupy: Any, law: str, numbers: tuple[float, float]) -> Callable[[], float]:
    backend = CupyBackend(kernel())
    out = cupy.empty(COUNT, dtype=cupy.float32)
    table = cupy.asarray(np.frombuffer(table_bytes(), dtype=np.uint32))
    run = backend.kernels[0](f"{law}_F32")
    low = (-1.0, 1.0) if law == "uniform" else (0.0, 0.0)
    arguments = (
        *map(np.uint32, (1, 2, 3, 4)), np.uint64(0), np.uint64(COUNT),
        *map(np.float64, (*numbers, *low)), np.uint32(0), np.uint32(0), table, out,
    )  # fmt: skip
    return _synchronous(cupy, lambda: run((8192,), (256,), arguments))


def _synchronous(cupy: Any, call: Callable[[], object]) -> Callable[[], float]:
    def all_of_it() -> None:
        call()
        cupy.cuda.Device().synchronize()  # all of its streams, torch's too

    return lambda: seconds(all_of_it)


def _peers(cupy: Any) -> dict[str, dict[str, Callable[[], object]]]:
    peers: dict[str, dict[str, Callable[[], object]]] = {}
    generator = cupy.random.default_rng(1)
    peers["cupy.random"] = {
        "normal": lambda: generator.standard_normal(COUNT, dtype=cupy.float32),
        "uniform": lambda: generator.random(COUNT, dtype=cupy.float32),
    }
    if find_spec("torch") is not None:
        import torch  # noqa: PLC0415 - where it is there

        if torch.cuda.is_available():
            values = torch.empty(COUNT, device="cuda")
            peers["torch"] = {
                "normal": lambda: values.normal_(0, 0.02),
                "uniform": lambda: values.uniform_(-1, 1),
            }
    return peers


def _to_host(cupy: Any) -> Row:
    """Fill pinned chunks as a body does, beside copies of memory that is there already."""
    backend = CupyBackend(kernel())
    text = {"seed": 1, "tensors": [{"name": "w", "shape": [COUNT], "init": INITS["normal"]}]}
    (tensor,) = service.compile(service.parse(text)).tensors
    chunk = backend.allocate(1 << 21)
    there = cupy.empty(1 << 21, dtype=cupy.uint8)
    stream = cupy.cuda.Stream(non_blocking=True)

    def filled() -> None:
        for first in range(0, 1 << 26, 1 << 19):
            tensor.source.fill(first, chunk, backend, Memo())

    def copied() -> None:
        for _ in range(128):
            there.get(stream=stream, out=chunk)
        stream.synchronize()

    ours, theirs = in_turn(lambda: seconds(filled), lambda: seconds(copied), rounds=10)
    return Row(
        "normal into host memory, one chunk at a time", _bytes(ours, 1 << 28),
        f"copies alone {_bytes(theirs, 1 << 28)}", f"{speedup(ours, theirs):.2f}",
    )  # fmt: skip


def _posted(law: str) -> Row:
    body = recipe(INITS[law], 4 * GIB)
    with live_server("--backend", "cupy") as gpu, live_server("--backend", "numpy") as cpu:
        ours, theirs = in_turn(
            lambda: fetch(f"{gpu.url}/v1/weights", body),
            lambda: fetch(f"{cpu.url}/v1/weights", body),
            rounds=5,
        )
    return Row(
        f"{law}, POST to client, 4 GiB", _bytes(ours, 4 * GIB),
        f"the processor {_bytes(theirs, 4 * GIB)}", f"{speedup(ours, theirs):.2f}x",
    )  # fmt: skip


def _rate(times: list[float]) -> str:
    return f"{COUNT / min(times) / 1e9:.1f} G/s"


def _bytes(times: list[float], nbytes: int) -> str:
    return f"{nbytes / min(times) / 1e9:.2f} GB/s"


def main() -> None:
    """Measure, print the table and write it."""
    import cupy  # noqa: PLC0415 - an extra

    device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    today = datetime.now(UTC).date().isoformat()
    columns = "what", "tensorseed", "beside it, same run", "ratio", "goal", ""
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in rows(cupy):
        verdict = {True: "reached", False: "short", None: ""}[row.reached]
        cells = (row.what, row.ours, row.theirs, row.ratio, row.goal, verdict)
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], file=sys.stderr)
    slug = re.sub(r"\W+", "-", device.lower()).strip("-")
    about = f"{today}, {device}, CuPy {cupy.__version__}, on {machine()}."
    page = RESULTS / f"{today}-{slug}.md"
    page.write_text("\n".join([about, "", *lines, ""]), "utf-8")


if __name__ == "__main__":
    main()
