"""Values that a lenient reader would take for others: each would make weights nobody asked for."""

from tests.attacks.attack import Attack, of, weights

_SHAPES = [True, [True, 4], ["2", 4], [2.0, 4], [-1, 4], [2**63], [2**53, 2**53], [1] * 9, {}, "4"]

ATTACKS = [
    Attack(weights(of({"shpae": [4]})), 422, "did you mean shape?"),
    Attack(weights({"seed": 1, "tensors": [{"name": "w", "init": "zeros"}]}), 422, "shape"),
    Attack(weights({"tensors": [{"name": "w", "shape": [4], "init": "zeros"}]}), 422, "seed"),
    *(Attack(weights(of({"shape": shape})), 422, "/tensors/0/shape") for shape in _SHAPES),
    *(Attack(weights(of({"name": name})), 422, "/tensors/0/name") for name in (1, None, ["w"])),
    Attack(weights([]), 422),
    Attack(weights(b"3"), 422),
    Attack(weights(of({}) | {"tensors": {"0": {}}}), 422, "/tensors"),
]
