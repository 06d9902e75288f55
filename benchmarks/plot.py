"""Throughput against the size of a chunk and the number of clients, as a picture."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.kernel import INITS
from benchmarks.measure import seconds
from benchmarks.wire import GIB, PEERS, fetch, recipe
from tools.live import LiveServer, live_server

CHUNKS = [1 << bits for bits in range(16, 24)]
CLIENTS = [1, 2, 4, 8, 16, 32, 64]
ROUNDS = 3


def draw(to: Path, machine: str) -> None:
    """Measure, and write a PNG.

    Args:
        to: The file.
        machine: For its title.
    """
    import matplotlib as mpl  # noqa: PLC0415 - not installed with the rest

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    for law in ("normal", "uniform"):
        sizes = [_rate_of_chunks(law, chunk) for chunk in CHUNKS]
        left.plot([chunk / 1024 for chunk in CHUNKS], sizes, marker="o", label=law)
        with live_server() as server:
            rates = [_rate(server, law, clients) for clients in CLIENTS]
        right.plot(CLIENTS, rates, marker="o", label=law)
    left.set(xlabel="largest chunk, KiB", ylabel="GB/s to curl", title="one client")
    right.set(xlabel="concurrent clients", title="all clients together")
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(f"POST /v1/weights, F32, server and clients on {machine}", fontsize=9)
    figure.tight_layout()
    figure.savefig(to, dpi=110)


def _rate_of_chunks(law: str, chunk: int) -> float:
    with live_server(module=PEERS, BENCH_CHUNK=str(chunk)) as server:
        return _rate(server, law, 1)


def _rate(server: LiveServer, law: str, clients: int) -> float:
    """Return GB/s of so many clients together, the best of a few rounds."""
    nbytes = 2 * GIB // clients
    body = recipe(INITS[law], nbytes)

    def load(_: int) -> float:
        return fetch(f"{server.url}/v1/weights", body)

    with ThreadPoolExecutor(clients) as pool:
        times = [seconds(lambda: list(pool.map(load, range(clients)))) for _ in range(ROUNDS)]
    return clients * nbytes / min(times) / 1e9
