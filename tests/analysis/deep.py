"""Theory and measurement (mean of 8) of networks with 50 layers of width 512, printed as JSON."""

import json
from typing import Any, NamedTuple

from tests.analysis.support import analysed, dense, recipe_of


class Case(NamedTuple):
    """A chain of 50 layers.

    Args:
        init: The init of the weights.
        activation: The activation after every layer.
        is_reliable: Whether a single network is expected near the mean.
        layer: Further members of every layer.
        members: Further members of the request.
    """

    init: Any
    activation: str
    is_reliable: bool
    layer: dict[str, Any]
    members: dict[str, Any]


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
    curves = {}
    for name, case in CASES.items():
        recipe = recipe_of(dense(50, 512, **case.layer), case.init) | {"dtype": "F32"}
        members = {"activation": case.activation, "measure": {"batch": 16, "seeds": 8}}
        curves[name] = analysed(recipe, **members, **case.members)["curves"][0]
    return curves


if __name__ == "__main__":
    print(json.dumps(answers()))
