"""The kernel on one core beside torch, NumPy and JAX: values a second into one chunk's buffer."""

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import service
from benchmarks.measure import Row, Timed, in_turn, seconds, speedup
from service.backends import KERNELS, Backend, kernel
from service.numerics.memo import Memo

COUNT = 1 << 18
"""Values: a chunk of 1 MiB in F32."""

ROUNDS = 60

INITS: dict[str, dict[str, Any]] = {
    "normal": {"scheme": "normal", "std": 0.02},
    "uniform": {"scheme": "uniform", "low": -1, "high": 1},
    "truncated normal, 2 sigma": {"scheme": "truncated_normal", "std": 0.02},
}

GOALS = {
    ("normal", "torch"): 2.0,
    ("normal", "NumPy"): 5.0,
    ("uniform", "torch"): 3.0,
    ("truncated normal, 2 sigma", "torch"): 15.0,
}

Calls = dict[str, Callable[[], object]]


def rows() -> Iterator[Row]:
    """Yield a row a law and peer, then one a dtype and one a kernel."""
    ours = kernel()
    for law, init in INITS.items():
        own = timed(ours, init)
        for peer, calls in (("torch", _torch()), ("NumPy", _numpy()), ("JAX, all cores", _jax())):
            yield _beside(law, own, peer, calls)
    wide = timed(ours, INITS["normal"])
    for dtype in ("BF16", "F16"):
        times, f32 = in_turn(timed(ours, INITS["normal"], dtype), wide, rounds=ROUNDS)
        ratio = speedup(times, f32)
        yield Row(
            f"{dtype} normal, 1 thread", rate(times), f"F32 {rate(f32)}", f"{ratio:.2f}x",
            "no slower than F32", ratio >= 1,
        )  # fmt: skip
    for name, other in KERNELS.items():
        if other is not ours:
            times, best = in_turn(timed(other, INITS["normal"]), wide, rounds=ROUNDS)
            yield Row(
                f"normal by the kernel {name}, 1 thread", rate(times),
                f"{ours.name} {rate(best)}", f"{speedup(times, best):.2f}x",
            )  # fmt: skip


def timed(backend: Backend, init: dict[str, Any], dtype: str = "F32") -> Timed:
    """Return the filling of one chunk by a backend, to be timed."""
    recipe = {
        "seed": 1,
        "dtype": dtype,
        "tensors": [{"name": "w", "shape": [COUNT], "init": init}],
    }
    (tensor,) = service.compile(service.parse(recipe)).tensors
    out, memo = np.empty(COUNT * tensor.dtype.size, dtype=np.uint8), Memo()
    return lambda: seconds(lambda: tensor.source.fill(0, out, backend, memo))


def rate(times: list[float]) -> str:
    """Return values a second of the median."""
    return f"{COUNT / statistics.median(times) / 1e6:.0f} M/s"


def _beside(law: str, own: Timed, peer: str, calls: Calls | str) -> Row:
    what = f"{law}, 1 thread"
    if isinstance(calls, str) or law not in calls:
        why = calls if isinstance(calls, str) else "it has none"
        return Row(what, "", f"{peer}: skipped, {why}")
    call = calls[law]
    times, theirs = in_turn(own, lambda: seconds(call), rounds=ROUNDS)
    ratio, goal = speedup(times, theirs), GOALS.get((law, peer))
    return Row(
        what, rate(times), f"{peer} {rate(theirs)}", f"{ratio:.2f}x",
        f">= {goal:g}x" if goal else "", ratio >= goal if goal else None,
    )  # fmt: skip


def _torch() -> Calls | str:
    try:
        import torch  # noqa: PLC0415 - a peer, where it is installed
    except ImportError:
        return "torch is not installed"
    torch.set_num_threads(1)
    values = torch.empty(COUNT)
    return {
        "normal": lambda: values.normal_(0, 0.02),
        "uniform": lambda: values.uniform_(-1, 1),
        "truncated normal, 2 sigma": lambda: torch.nn.init.trunc_normal_(
            values, 0, 0.02, -0.04, 0.04
        ),
    }


def _numpy() -> Calls:
    generator = np.random.default_rng(1)
    values = np.empty(COUNT, dtype=np.float32)
    return {
        "normal": lambda: generator.standard_normal(dtype=np.float32, out=values),
        "uniform": lambda: generator.random(dtype=np.float32, out=values),
    }


def _jax() -> Calls | str:
    try:
        import jax  # noqa: PLC0415
    except ImportError:
        return "jax is not installed"
    key = jax.random.key(1)
    draws = {
        "normal": jax.jit(lambda key: jax.random.normal(key, (COUNT,))),
        "uniform": jax.jit(lambda key: jax.random.uniform(key, (COUNT,))),
        "truncated normal, 2 sigma": jax.jit(
            lambda key: jax.random.truncated_normal(key, -2.0, 2.0, (COUNT,))
        ),
    }

    def call(law: str) -> Callable[[], object]:
        return lambda: draws[law](key).block_until_ready()

    return {law: call(law) for law in draws}
