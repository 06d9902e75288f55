"""Deep Java Library (master): ai.djl.training.initializer.

Fans: axis 1 in, axis 0 out, each times the rest; fewer than 2 axes are refused.

Promises: XavierInitializer has the magnitude 6 by default, sqrt 2 times Glorot's bound, though its
page says 3, which early versions had: `{"scheme": "xavier"}`. A magnitude m is, uniform, the scale
m / 3, and gaussian m. Training configurations take (GAUSSIAN, IN, 2): `{"scheme": "kaiming"}`.

Source: https://github.com/deepjavalibrary/djl/tree/master/api/src/main/java/ai/djl/training/initializer
"""

from typing import Any

TITLE = "DJL"
LAYOUTS = ("OI", "OIW", "OIHW", "OIDHW")

NAMES: dict[str, dict[str, Any]] = {
    "djl.Initializer.ZEROS": {"scheme": "zeros"},
    "djl.Initializer.ONES": {"scheme": "ones"},
    "djl.NormalInitializer": {"scheme": "normal", "std": 0.01},
    "djl.UniformInitializer": {"scheme": "uniform", "low": -0.07, "high": 0.07},
    "djl.TruncatedNormalInitializer": {"scheme": "truncated_normal", "std": 0.01},
    "djl.XavierInitializer": {
        "scheme": "variance_scaling",
        "scale": 2.0,
        "mode": "fan_avg",
        "distribution": "uniform",
    },
}

UNMAPPED: dict[str, str] = {
    "djl.ConstantInitializer": 'needs a value; for 0.1: {"scheme": "constant", "value": 0.1}',
}

NOTES: dict[str, str] = {}
