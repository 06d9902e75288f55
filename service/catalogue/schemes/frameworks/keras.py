"""Keras 3.15: keras.initializers.

Fans: the last axis out, the one before it in, each times the rest; a vector has both its length, a
scalar 1, and no fan is below 1. Here a tensor without fans is refused: state `fan`. Transposed
convolutions are stored out, in, and counted as if in, out: to have the same draws keep the layout
HWIO. EinsumDense and attention count by contraction since 3.15.

Promises: every `*Normal` of a fan, and VarianceScaling, is cut at 2 sigma and widened to keep the
variance; TruncatedNormal is cut and not widened. `keras.normal` and `keras.uniform` are the
identifiers of RandomNormal and RandomUniform.

Source: https://github.com/keras-team/keras/tree/v3.15.1/keras/src/initializers
"""

from typing import Any

TITLE = "Keras 3.15"
LAYOUTS = ("IO", "WIO", "HWIO", "DHWIO")

_PATHS = ("keras", "keras.initializers")
_OBJECTS: dict[tuple[str, ...], dict[str, Any]] = {
    ("Zeros", "zeros", "zero"): {"scheme": "zeros"},
    ("Ones", "ones", "one"): {"scheme": "ones"},
    ("Constant", "constant"): {"scheme": "constant", "value": 0.0},
    ("Identity", "identity", "IdentityInitializer"): {"scheme": "identity"},
    ("RandomNormal", "random_normal", "normal"): {"scheme": "normal", "std": 0.05},
    ("TruncatedNormal", "truncated_normal"): {"scheme": "truncated_normal", "std": 0.05},
    ("RandomUniform", "random_uniform", "uniform"): {
        "scheme": "uniform",
        "low": -0.05,
        "high": 0.05,
    },
    ("VarianceScaling", "variance_scaling"): {"scheme": "variance_scaling"},
    ("GlorotUniform", "glorot_uniform"): {"scheme": "xavier"},
    ("GlorotNormal", "glorot_normal"): {"scheme": "xavier", "distribution": "truncated_normal"},
    ("LecunNormal", "lecun_normal"): {"scheme": "lecun", "distribution": "truncated_normal"},
    ("LecunUniform", "lecun_uniform"): {"scheme": "lecun", "distribution": "uniform"},
    ("HeNormal", "he_normal"): {"scheme": "kaiming", "distribution": "truncated_normal"},
    ("HeUniform", "he_uniform"): {"scheme": "kaiming", "distribution": "uniform"},
    ("Orthogonal", "orthogonal", "OrthogonalInitializer"): {"scheme": "orthogonal"},
}

NAMES: dict[str, dict[str, Any]] = {
    f"{path}.{name}": init for path in _PATHS for names, init in _OBJECTS.items() for name in names
}

UNMAPPED: dict[str, str] = {
    f"{path}.{name}": "no scheme: a fixed basis of windowed sines and cosines"
    for path in _PATHS
    for name in ("STFT", "stft", "STFTInitializer")
}

NOTES: dict[str, str] = {
    f"{path}.{name}": "Keras's distribution `normal` is `truncated_normal` here, and its"
    " `untruncated_normal` is `normal`"
    for path in _PATHS
    for name in ("VarianceScaling", "variance_scaling")
}
