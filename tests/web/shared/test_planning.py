"""Which threads plan what."""

import asyncio
import threading

import pytest

from service.web.shared.planning import Planning


@pytest.mark.parametrize(
    ("text", "most"),
    [
        (b'{"seed": 1, "tensors": []}', 4),
        (b'{"seed": 1, "model": {"model_type": "llama", "num_hidden_layers": 9999}}', 1),
        (b'{"seed": 1, "layers": []}', 1),
        (b" " * 70_000, 1),
    ],
    ids=["tensors", "model", "layers", "long"],
)
def test_recipes_that_swell_are_planned_all_at_once(text: bytes, most: int) -> None:
    lock, inside, seen = threading.Lock(), [0], [0]

    def work() -> None:
        with lock:
            inside[0] += 1
            seen[0] = max(seen[0], inside[0])
        full.wait(0.3)
        with lock:
            inside[0] -= 1

    full = threading.Event()

    async def run() -> None:
        planning = Planning(1)
        await asyncio.gather(*(planning.run(text, work) for _ in range(6)))

    asyncio.run(run())
    assert seen[0] <= most
