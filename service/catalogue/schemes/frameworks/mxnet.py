"""MXNet 1.9: mxnet.initializer, also as mxnet.init.

Fans: axis 1 in, axis 0 out, each times the rest.

Promises: Xavier with its magnitude 3 is Glorot's only while it is uniform; gaussian it has the
variance 3 / fan_avg, `variance_scaling` of scale 3. MSRAPrelu divides by the average of the fans
and assumes a PReLU of slope 0.25. Whatever the initializer, names that end in bias, beta or
moving_mean get 0, in gamma or moving_var 1.

Source: https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/initializer.py
"""

from typing import Any

TITLE = "MXNet 1.9"
LAYOUTS = ("OI", "OIW", "OIHW", "OIDHW")

_PATHS = ("mxnet", "mxnet.init")
_OBJECTS: dict[str, dict[str, Any]] = {
    "Zero": {"scheme": "zeros"},
    "One": {"scheme": "ones"},
    "Uniform": {"scheme": "uniform", "low": -0.07, "high": 0.07},
    "Normal": {"scheme": "normal", "std": 0.01},
    "Xavier": {"scheme": "xavier"},
    "MSRAPrelu": {
        "scheme": "kaiming",
        "mode": "fan_avg",
        "nonlinearity": "leaky_relu",
        "negative_slope": 0.25,
    },
    "Bilinear": {"scheme": "bilinear", "variant": "mxnet"},
    "LSTMBias": {"scheme": "lstm_forget"},
}

NAMES: dict[str, dict[str, Any]] = {
    **{f"{path}.{name}": init for path in _PATHS for name, init in _OBJECTS.items()},
    "mxnet.zeros": {"scheme": "zeros"},
    "mxnet.ones": {"scheme": "ones"},
}

UNMAPPED: dict[str, str] = {
    f"{path}.{name}": reason
    for path in _PATHS
    for name, reason in {
        "Constant": 'needs a value; for 0.1: {"scheme": "constant", "value": 0.1}',
        "Orthogonal": "its matrices, singular vectors of uniform entries, are not evenly spread"
        ' over all orthogonal ones; nearest: {"scheme": "orthogonal", "gain": 1.414}',
        "FusedRNN": "no scheme: it hands the parts of a fused tensor to another initializer; for"
        ' the biases: {"scheme": "lstm_forget"}',
        "Load": "no scheme: it copies values from a file",
        "Mixed": "no scheme: it chooses an initializer by the tensor's name",
    }.items()
}

NOTES: dict[str, str] = {}
