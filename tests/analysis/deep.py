"""Networks of 50 layers, 512 wide: theory and the mean of 8 of each; printed as JSON."""

import json
from typing import Any, NamedTuple

from tests.analysis.support import analysed, dense, recipe_of


class Case(NamedTuple):
    """A chain of 50 layers.

    Args:
        init: Of weights.
        activation: After every layer.
        is_reliable: Whether one network is near the mean of all.
        layer: What every layer has beside that.
        asked: What the question has.
    """

    init: Any
    activation: str
    is_reliable: bool
    layer: dict[str, Any]
    asked: dict[str, Any]


_GELU = {"scheme": "critical", "nonlinearity": "gelu"}
_TANH = {"scheme": "xavier", "gain": 5 / 3, "distribution": "normal"}
_BIASES = {"bias": True, "bias_init": {**_GELU, "bias": True}}

CASES = {
    "ReLU, He": Case("kaiming_normal", "relu", True, {}, {}),
    "ReLU, Xavier": Case("xavier_normal", "relu", True, {}, {}),
    "tanh, Xavier": Case("xavier_normal", "tanh", True, {}, {}),
    "tanh, 5/3": Case(_TANH, "tanh", True, {}, {}),
    "GELU, critical": Case(_GELU, "gelu", True, _BIASES, {}),
    "branches": Case(
        "kaiming_normal", "relu", True, {"branch": [1, 1]}, {"residual_scale": 50**-0.5}
    ),
}


def answers() -> dict[str, Any]:
    """Return the curves of every case."""
    found = {}
    for name, case in CASES.items():
        recipe = recipe_of(dense(50, 512, **case.layer), case.init) | {"dtype": "F32"}
        asked = {"activation": case.activation, "measure": {"batch": 16, "seeds": 8}}
        found[name] = analysed(recipe, **asked, **case.asked)["curves"][0]
    return found


if __name__ == "__main__":
    print(json.dumps(answers()))
