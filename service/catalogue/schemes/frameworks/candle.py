"""candle-nn 0.10: the constants and variants of candle_nn::Init, and the defaults of its layers.

Fans: axis 1 in, axis 0 out, each times the rest; a vector has 1 and its length, and needs a stated
`fan` here.

Promises: linear layers and convolutions start with a normal of the ReLU gain, sqrt 6 times the
standard deviation of PyTorch's. A convolution's bias ignores the kernel's area.

Source: https://github.com/huggingface/candle/blob/main/candle-nn/src/init.rs
"""

from typing import Any

TITLE = "candle-nn 0.10"
LAYOUTS = ("OI", "OIW", "OIHW")

_LIKE_TORCH = {"scheme": "variance_scaling", "scale": 1 / 3, "distribution": "uniform"}

NAMES: dict[str, dict[str, Any]] = {
    "candle.ZERO": {"scheme": "zeros"},
    "candle.ONE": {"scheme": "ones"},
    "candle.DEFAULT_KAIMING_UNIFORM": {"scheme": "kaiming", "distribution": "uniform"},
    "candle.DEFAULT_KAIMING_NORMAL": {"scheme": "kaiming"},
    "candle.linear.weight": {"scheme": "kaiming"},
    "candle.linear.bias": _LIKE_TORCH,
    "candle.conv.weight": {"scheme": "kaiming"},
    "candle.conv.bias": _LIKE_TORCH,
    "candle.conv_transpose2d.weight": _LIKE_TORCH,
    "candle.embedding.weight": {"scheme": "normal", "std": 1.0},
    "candle.layer_norm.weight": {"scheme": "ones"},
    "candle.layer_norm.bias": {"scheme": "zeros"},
    "candle.lstm.weight": {"scheme": "kaiming", "distribution": "uniform"},
}

UNMAPPED: dict[str, str] = {
    "candle.Const": 'needs a value; for 0.1: {"scheme": "constant", "value": 0.1}',
    "candle.Randn": 'needs mean and stdev; for 0 and 0.02: {"scheme": "normal", "std": 0.02}',
    "candle.Uniform": 'needs bounds; for +-0.1: {"scheme": "uniform", "low": -0.1, "high": 0.1}',
    "candle.Kaiming": "needs a fan, a nonlinearity and a distribution; for FanOut, SELU, Normal:"
    ' {"scheme": "kaiming", "mode": "fan_out", "nonlinearity": "selu"}',
}

NOTES: dict[str, str] = {
    "candle.linear.bias": "state the weight's fans",
    "candle.conv.bias": "state a fan_in of the input channels alone",
    "candle.conv_transpose2d.weight": "stored in, out: leave the layout out. Without a bias it is"
    " stored out, in: the layout IOHW",
}
