"""Numbers and words that no law, scheme or dtype has."""

from typing import Any

from tests.attacks.attack import NORMAL, Attack, of, weights

_SEEDS: list[Any] = [-1, 2**64, 1.0, 0.5, "-1", "1 ", "0x1", str(2**64), None, True, []]
_INITS: list[Any] = [
    NORMAL | {"std": -1},
    NORMAL | {"std": 1e300, "mean": 1e308},
    {"scheme": "uniform", "low": 1, "high": 1},
    {"scheme": "uniform", "low": 2, "high": 1},
    {"scheme": "truncated_normal", "std": 1, "bounds": [9, 10]},
    {"scheme": "sparse", "sparsity": 1.5},
    {"scheme": "sparse", "sparsity": -0.1},
    "octagonal",
    {"scheme": "constant", "value": "0"},
    {"scheme": "kaiming", "negative_slope": "1"},
    None,
    7,
]

ATTACKS = [
    *(Attack(weights(of({}) | {"seed": seed}), 422, "/seed") for seed in _SEEDS),
    *(Attack(weights(of({"init": init})), 422, "/tensors/0") for init in _INITS),
    Attack(
        weights(b'{"seed":1,"tensors":[{"name":"w","shape":[4],"init":{"scheme":"normal","std":1e999}}]}'),
        422,
    ),
    Attack(weights(of({"dtype": "F31"})), 422, "F8_E4M3"),
    Attack(weights(of({"shape": [4], "init": "xavier"})), 422, "/tensors/0"),
    Attack(weights(of({"shape": [4, 0], "init": "kaiming"})), 422, "/tensors/0"),
    Attack(weights(of({"dtype": "F16", "init": NORMAL | {"std": 1e5}})), 422, "F16"),
    Attack(weights(of()), 422, "/tensors"),
    Attack(weights(of({}, include=["nothing"])), 422, "/include"),
]  # fmt: skip
