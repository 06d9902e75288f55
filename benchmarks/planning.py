"""A hundred thousand tensors: how long, how linear, and whom they hold up."""

import json
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.measure import Row, in_turn
from benchmarks.wire import SMALL, Connection, message
from tools.live import live_server

COUNT = 100_000


def recipe(count: int) -> bytes:
    """Return a recipe of so many tensors, as a mixture of experts has them."""
    kinds: tuple[tuple[str, dict[str, object]], ...] = (
        ("self_attn.q_proj.weight", {"shape": [1024, 1024], "init": "xavier_uniform"}),
        ("experts.gate_proj.weight", {"shape": [512, 1024], "init": "kaiming_normal"}),
        ("experts.down_proj.weight", {"shape": [1024, 512], "dtype": "BF16"}),
        ("input_layernorm.weight", {"shape": [1024], "init": "ones"}),
    )
    tensors = [
        {"name": f"model.layers.{i // 4}.{kinds[i % 4][0]}", **kinds[i % 4][1]}
        for i in range(count)
    ]
    init = {"scheme": "normal", "std": 0.02}
    return json.dumps({"seed": 1, "init": init, "tensors": tensors}).encode()


def rows() -> Iterator[Row]:
    """Yield the rows of this page of the table."""
    with live_server() as server:

        def first_byte(sent: bytes) -> float:
            with Connection(server.port) as connection:
                return connection.first_byte(sent)

        full, half, small = (
            message("/v1/weights", body) for body in (recipe(COUNT), recipe(COUNT // 2), SMALL)
        )
        times, halves = in_turn(lambda: first_byte(full), lambda: first_byte(half), rounds=5)
        median = statistics.median(times)
        growth = median / statistics.median(halves)
        yield Row(
            f"{COUNT:,} tensors, POST to first byte", f"{median:.2f} s",
            f"half of them {statistics.median(halves):.2f} s", f"{growth:.2f}x for 2x",
            "<= 5 s, linear; then 2 s", median <= 5 and growth < 2.5,
        )  # fmt: skip
        with ThreadPoolExecutor(1) as pool, Connection(server.port) as connection:
            waits = []
            large = pool.submit(first_byte, full)
            while not large.done():
                waits.append(connection.request(small))
        waits.sort()
        p50, most = waits[len(waits) // 2] * 1e3, waits[-1] * 1e3
        yield Row(
            "a 1 KB recipe beside those", f"p50 {p50:.0f} ms, at most {most:.0f} ms",
            f"{len(waits)} answered meanwhile", f"{p50:.0f} ms",
        )  # fmt: skip
