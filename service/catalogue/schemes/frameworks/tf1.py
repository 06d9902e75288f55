"""TensorFlow 1.15: tf.initializers, their older names, and tf.contrib.

Fans: the last axis out, the one before it in, each times the rest; a vector has both its length,
and no fan is below 1. Here a tensor without fans is refused: state `fan`.

Promises: tf.contrib corrects its truncation by the factor 1.3, which leaves the variance 0.6 % too
high. Early 1.x did not correct the normals of tf.initializers at all: they had the standard
deviation sqrt(scale / fan) before the cut, `tf_variance_scaling` of factor scale / 1.3.
`random_uniform` is from 0 to 1, where Keras's is +-0.05.

Source: https://github.com/tensorflow/tensorflow/blob/v1.15.5/tensorflow/python/ops/init_ops.py
"""

from typing import Any

TITLE = "TensorFlow 1.15"
LAYOUTS = ("IO", "WIO", "HWIO", "DHWIO")

_OLD: dict[str, dict[str, Any]] = {
    "zeros": {"scheme": "zeros"},
    "ones": {"scheme": "ones"},
    "constant": {"scheme": "constant", "value": 0.0},
    "random_uniform": {"scheme": "uniform", "low": 0.0, "high": 1.0},
    "random_normal": {"scheme": "normal", "std": 1.0},
    "truncated_normal": {"scheme": "truncated_normal", "std": 1.0},
    "uniform_unit_scaling": {"scheme": "variance_scaling", "distribution": "uniform"},
    "variance_scaling": {"scheme": "variance_scaling"},
    "glorot_uniform": {"scheme": "xavier"},
    "glorot_normal": {"scheme": "xavier", "distribution": "truncated_normal"},
    "orthogonal": {"scheme": "orthogonal"},
}
_CONTRIB_XAVIER = {
    "scheme": "tf_variance_scaling",
    "factor": 1.0,
    "mode": "FAN_AVG",
    "uniform": True,
}
_CONVOLUTIONAL = "tf.contrib.framework.convolutional"

NAMES: dict[str, dict[str, Any]] = {
    **{f"tf.{name}_initializer": init for name, init in _OLD.items()},
    **{f"tf.initializers.{name}": init for name, init in _OLD.items()},
    "tf.initializers.he_normal": {"scheme": "kaiming", "distribution": "truncated_normal"},
    "tf.initializers.he_uniform": {"scheme": "kaiming", "distribution": "uniform"},
    "tf.initializers.lecun_normal": {"scheme": "lecun", "distribution": "truncated_normal"},
    "tf.initializers.lecun_uniform": {"scheme": "lecun", "distribution": "uniform"},
    "tf.initializers.identity": {"scheme": "identity"},
    "tf.contrib.layers.xavier_initializer": _CONTRIB_XAVIER,
    "tf.contrib.layers.xavier_initializer_conv2d": _CONTRIB_XAVIER,
    "tf.contrib.layers.variance_scaling_initializer": {"scheme": "tf_variance_scaling"},
    f"{_CONVOLUTIONAL}_delta_orthogonal": {"scheme": "delta_orthogonal"},
}

UNMAPPED: dict[str, str] = {
    f"{_CONVOLUTIONAL}_orthogonal_{n}d": "no scheme: an orthogonal convolution from products of"
    " random projections"
    for n in (1, 2, 3)
}

NOTES: dict[str, str] = {
    f"{_CONVOLUTIONAL}_delta_orthogonal": "the same for odd kernels; the centre of an even side k"
    " is (k - 1) // 2 there and k // 2 here",
    "tf.uniform_unit_scaling_initializer": "the fan_in of a vector is 1",
    "tf.initializers.uniform_unit_scaling": "the fan_in of a vector is 1",
}
