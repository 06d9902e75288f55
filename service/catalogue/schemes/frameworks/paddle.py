"""PaddlePaddle 3.3: paddle.nn.initializer.

Fans: a matrix is in, out; a kernel has axis 1 in, axis 0 out, each times the rest; a vector has
both its length, and needs a stated `fan` here. Linear layers are stored in, out: they need the
layout IO.

Promises: every normal of a fan is a plain one. The bounds of TruncatedNormal are values; releases
that had no bounds cut at 2 sigma: `{"scheme": "truncated_normal", "std": 1.0}`.

Source: https://github.com/PaddlePaddle/Paddle/tree/v3.3.1/python/paddle/nn/initializer
"""

from typing import Any

TITLE = "PaddlePaddle 3.3"
LAYOUTS = ("IO", "OIW", "OIHW", "OIDHW")

_OBJECTS: dict[str, dict[str, Any]] = {
    "Constant": {"scheme": "constant", "value": 0.0},
    "Normal": {"scheme": "normal", "std": 1.0},
    "TruncatedNormal": {"scheme": "truncated_normal", "std": 1.0, "bounds_in": "absolute"},
    "Uniform": {"scheme": "uniform", "low": -1.0, "high": 1.0},
    "XavierUniform": {"scheme": "xavier"},
    "XavierNormal": {"scheme": "xavier", "distribution": "normal"},
    "KaimingUniform": {"scheme": "kaiming", "distribution": "uniform"},
    "KaimingNormal": {"scheme": "kaiming"},
    "Orthogonal": {"scheme": "orthogonal"},
    "Dirac": {"scheme": "dirac"},
}

NAMES: dict[str, dict[str, Any]] = {
    f"paddle.nn.initializer.{name}": init for name, init in _OBJECTS.items()
}

UNMAPPED: dict[str, str] = {
    "paddle.nn.initializer.Bilinear": "an undivided row index skews its kernels; what it is meant"
    ' to be: {"scheme": "bilinear", "variant": "mxnet"}',
    "paddle.nn.initializer.Assign": "no scheme: it copies a given array",
    "paddle.nn.initializer.calculate_gain": "no scheme: it returns a gain; xavier and orthogonal"
    ' take its name: {"scheme": "xavier", "gain": "tanh"}',
    "paddle.nn.initializer.set_global_initializer": "no scheme: it sets what layers default to",
}

NOTES: dict[str, str] = {}
