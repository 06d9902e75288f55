"""burn (main): the variants of burn::module::Initializer, and the defaults of its layers.

Fans: handed over by the layer. Linear layers are stored in, out: state the layout IO. Those of a
convolution in groups are (in / groups) k and (out / groups) k: state `fan` where fan_out counts.

Promises: nothing by default: every variant but Zeros and Ones needs its numbers. A gain g of the
Kaiming variants is the scale g^2 of `variance_scaling`; that of the layers is 1 / sqrt 3, which is
PyTorch's default. The column layout of Linear hands the fans over swapped.

Source: https://github.com/tracel-ai/burn/blob/main/crates/burn-core/src/module/initializer.rs
"""

from typing import Any

TITLE = "burn"
LAYOUTS = ("IO", "OIW", "OIHW", "OIDHW")

_LIKE_TORCH = {"scheme": "variance_scaling", "scale": 1 / 3, "distribution": "uniform"}

NAMES: dict[str, dict[str, Any]] = {
    "burn.Zeros": {"scheme": "zeros"},
    "burn.Ones": {"scheme": "ones"},
    "burn.nn.Linear.weight": _LIKE_TORCH,
    "burn.nn.Conv2d.weight": _LIKE_TORCH,
    "burn.nn.Lstm": {"scheme": "xavier", "distribution": "normal"},
}

UNMAPPED: dict[str, str] = {
    "burn.Constant": 'needs a value; for 0.1: {"scheme": "constant", "value": 0.1}',
    "burn.Uniform": 'needs bounds; for +-0.1: {"scheme": "uniform", "low": -0.1, "high": 0.1}',
    "burn.Normal": 'needs mean and std; for 0 and 0.02: {"scheme": "normal", "std": 0.02}',
    "burn.KaimingUniform": "needs a gain and fan_out_only; for sqrt 2 and false:"
    ' {"scheme": "variance_scaling", "scale": 2.0, "distribution": "uniform"}',
    "burn.KaimingNormal": "needs a gain and fan_out_only; for sqrt 2 and false:"
    ' {"scheme": "variance_scaling", "scale": 2.0, "distribution": "normal"}',
    "burn.XavierUniform": 'needs a gain; for 1: {"scheme": "xavier"}',
    "burn.XavierNormal": 'needs a gain; for 1: {"scheme": "xavier", "distribution": "normal"}',
    "burn.Orthogonal": 'needs a gain; for 1: {"scheme": "orthogonal"}',
}

NOTES: dict[str, str] = {
    "burn.nn.Linear.weight": "the bias too, with the weight's fans stated",
    "burn.nn.Conv2d.weight": "the bias too, with the weight's fans stated",
    "burn.nn.Lstm": "each gate's matrix by itself",
}
