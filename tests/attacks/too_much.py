"""Recipes of few bytes that ask for very much, and many that ask for too many things."""

from tests.attacks.attack import Attack, of, weights

FLAGS = ("--max-header-bytes", "2000000")

_MANY = [{"name": f"w{i}", "shape": [1], "init": "zeros"} for i in range(200_001)]
_NAME = "n" * 240

ATTACKS = [
    Attack(weights(of({"shape": [2**40]})), 422, "max_total_bytes"),
    Attack(weights({"seed": 1, "tensors": _MANY}), 422, "max_tensors"),
    Attack(
        weights(of(*({"name": f"{_NAME}{i:06}", "shape": []} for i in range(9_000)), init="zeros")),
        422,
        "max_header_bytes",
    ),
    Attack(weights(of({}, metadata={"a": "x" * 70_000})), 422, "max_metadata_bytes"),
    Attack(weights(of({"shape": [9000, 9000], "init": "orthogonal"})), 422, "max_orthogonal_side"),
    Attack(
        weights(
            of(
                *({"name": f"{'a' * 200}{i}"} for i in range(3000)),
                rules=[{"match": "*a" * 100 + "b", "init": "zeros"}] * 50,
            )
        ),
        422,
        "max_matches",
    ),
    Attack(
        weights({"seed": 1, "model": {"model_type": "gpt2", "n_layer": 10**9}}),
        422,
        "/model/n_layer",
    ),
    Attack(weights(of({}) | {str(i): 1 for i in range(100_000)}), 422, "65536 members"),
]
