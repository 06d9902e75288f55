"""PyTorch 2.13: torch.nn.init.

Fans: axis 1 in, axis 0 out, each times the rest; a vector has none. That is the rule here where no
layout is stated. A transposed convolution is stored in, out: its "fan_in" counts outputs.

Promises: `kaiming_*` default to leaky_relu of slope 0, which is ReLU; `calculate_gain` alone would
take 0.01. The bounds of `trunc_normal_` are values: beside a std of 0.02 its +-2 cut nothing.
Layers do not use these defaults: Linear and convolutions have `kaiming_uniform_(a=sqrt(5))`.

Source: https://github.com/pytorch/pytorch/blob/v2.13.0/torch/nn/init.py
"""

from typing import Any

TITLE = "PyTorch 2.13"
LAYOUTS = ("OI", "OIW", "OIHW", "OIDHW")

_OBJECTS: dict[str, dict[str, Any]] = {
    "uniform": {"scheme": "uniform", "low": 0.0, "high": 1.0},
    "normal": {"scheme": "normal", "std": 1.0},
    "ones": {"scheme": "ones"},
    "zeros": {"scheme": "zeros"},
    "trunc_normal": {"scheme": "truncated_normal", "std": 1.0, "bounds_in": "absolute"},
    "eye": {"scheme": "identity"},
    "dirac": {"scheme": "dirac"},
    "xavier_uniform": {"scheme": "xavier"},
    "xavier_normal": {"scheme": "xavier", "distribution": "normal"},
    "kaiming_uniform": {
        "scheme": "kaiming",
        "nonlinearity": "leaky_relu",
        "distribution": "uniform",
    },
    "kaiming_normal": {"scheme": "kaiming", "nonlinearity": "leaky_relu"},
    "orthogonal": {"scheme": "orthogonal"},
}

_NEW = {"ones", "zeros", "trunc_normal"}  # have no deprecated name

NAMES: dict[str, dict[str, Any]] = {
    **{f"torch.nn.init.{name}_": init for name, init in _OBJECTS.items()},
    **{f"torch.nn.init.{name}": init for name, init in _OBJECTS.items() if name not in _NEW},
}

UNMAPPED: dict[str, str] = {
    **{
        f"torch.nn.init.{name}{mark}": reason
        for mark in ("_", "")
        for name, reason in {
            "constant": 'needs a value; for 0.1: {"scheme": "constant", "value": 0.1}',
            "sparse": 'needs a sparsity; for 0.9: {"scheme": "sparse", "sparsity": 0.9}',
        }.items()
    },
    "torch.nn.init.calculate_gain": "no scheme: it returns a gain; xavier and orthogonal take its"
    ' name: {"scheme": "xavier", "gain": "tanh"}',
}

NOTES: dict[str, str] = {}
