"""MLX 0.32: mlx.nn.init.

Fans: axis 0 out, the last axis in, each times those between; a vector is refused.

Promises: `he_normal` and `he_uniform` have the gain 1, so LeCun's variance and half of He's: pass
sqrt 2 there, write `kaiming` here. Every normal is a plain one. `sparse` counts zeros along rows.

Source: https://github.com/ml-explore/mlx/blob/v0.32.4/python/mlx/nn/init.py
"""

from typing import Any

TITLE = "MLX 0.32"
LAYOUTS = ("OI", "OWI", "OHWI", "ODHWI")

NAMES: dict[str, dict[str, Any]] = {
    "mlx.nn.init.normal": {"scheme": "normal", "std": 1.0},
    "mlx.nn.init.uniform": {"scheme": "uniform", "low": 0.0, "high": 1.0},
    "mlx.nn.init.identity": {"scheme": "identity"},
    "mlx.nn.init.glorot_normal": {"scheme": "xavier", "distribution": "normal"},
    "mlx.nn.init.glorot_uniform": {"scheme": "xavier"},
    "mlx.nn.init.he_normal": {"scheme": "variance_scaling", "distribution": "normal"},
    "mlx.nn.init.he_uniform": {"scheme": "variance_scaling", "distribution": "uniform"},
    "mlx.nn.init.orthogonal": {"scheme": "orthogonal"},
}

UNMAPPED: dict[str, str] = {
    "mlx.nn.init.constant": 'needs a value; for 0.1: {"scheme": "constant", "value": 0.1}',
    "mlx.nn.init.sparse": "needs a sparsity; for 0.9:"
    ' {"scheme": "sparse", "sparsity": 0.9, "std": 1.0, "axis": 1}',
}

NOTES: dict[str, str] = {
    "mlx.nn.init.he_normal": "not He's: the variance is 1 / fan_in",
    "mlx.nn.init.he_uniform": "not He's: the variance is 1 / fan_in",
}
