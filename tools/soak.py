"""Stream a long body and watch the server's memory: ``python -m tools.soak [GIGABYTES]``."""

import sys
import time

from tools.live import live_server

LIMIT = 150_000_000


def main() -> None:
    """Print resident memory and rate a gigabyte; exit with status 1 past `LIMIT` bytes."""
    gigabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    columns = gigabytes * 250_000
    recipe = {
        "seed": 1,
        "tensors": [
            {"name": "w", "shape": [1000, columns], "init": {"scheme": "normal", "std": 0.02}}
        ],
    }
    with live_server() as server, server.post("/v1/weights", recipe) as response:
        length = int(response.headers["Content-Length"])
        total, peak, started = 0, 0, time.monotonic()
        first = server.rss
        while piece := response.read(1 << 20):
            before, total = total, total + len(piece)
            if before // 10**9 != total // 10**9:
                peak = max(peak, server.rss)
                rate = total / (time.monotonic() - started) / 1e6
                print(f"{total / 1e9:6.1f} GB  RSS {server.rss / 1e6:6.1f} MB  {rate:6.1f} MB/s")
    print(
        f"{total} of {length} bytes; RSS {first / 1e6:.1f} MB at first, {peak / 1e6:.1f} MB at most"
    )
    raise SystemExit(total != length or peak > LIMIT)


if __name__ == "__main__":
    main()
