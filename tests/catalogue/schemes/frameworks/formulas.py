"""Every framework's initializers once more, as arithmetic on the fans that its own source counts.

A formula is Python over ``fi``, ``fo`` and the words of `laws`; docs/frameworks.md prints it.
"""

import math
from collections.abc import Callable, Sequence

Shape = Sequence[int]


def _torch(shape: Shape) -> tuple[int, int]:
    area = math.prod(shape[2:])
    return shape[1] * area, shape[0] * area


def _keras(shape: Shape) -> tuple[int, int]:
    area = math.prod(shape[:-2])
    return shape[-2] * area, shape[-1] * area


def _jax(shape: Shape) -> tuple[int, int]:
    area = math.prod(shape) // shape[-2] // shape[-1]
    return shape[-2] * area, shape[-1] * area


def _caffe(shape: Shape) -> tuple[int, int]:
    count = math.prod(shape)
    return count // shape[0], count // shape[1]


def _paddle(shape: Shape) -> tuple[int, int]:
    return (shape[0], shape[1]) if len(shape) == 2 else _torch(shape)


def _flux(shape: Shape) -> tuple[int, int]:
    return (shape[1], shape[0]) if len(shape) == 2 else _keras(shape)


def _mlx(shape: Shape) -> tuple[int, int]:
    area = math.prod(shape[1:-1])
    return shape[-1] * area, shape[0] * area


FANS: dict[str, Callable[[Shape], tuple[int, int]]] = {
    "torch": _torch,
    "keras": _keras,
    "jax": _jax,
    "flax": _jax,
    "tf1": _keras,
    "caffe": _caffe,
    "mxnet": _torch,
    "paddle": _paddle,
    "flux": _flux,
    "candle": _torch,
    "burn": _paddle,
    "djl": _torch,
    "mlx": _mlx,
}
"""fan_in and fan_out of a kernel as the framework stores it."""


def _prefixed(*paths: str, **formulas: str) -> dict[str, str]:
    return {f"{path}{name}": text for path in paths for name, text in formulas.items()}


_TORCH = {
    "uniform": "uniform(0, 1)",
    "normal": "normal(1)",
    "eye": "eye(1)",
    "dirac": "dirac(1)",
    "xavier_uniform": "within(sqrt(3) * 1 * sqrt(2 / (fi + fo)))",
    "xavier_normal": "normal(1 * sqrt(2 / (fi + fo)))",
    "kaiming_uniform": "within(sqrt(3) * sqrt(2 / (1 + 0**2)) / sqrt(fi))",
    "kaiming_normal": "normal(sqrt(2 / (1 + 0**2)) / sqrt(fi))",
    "orthogonal": "haar(1)",
}
_KERAS = {
    "zeros": "value(0)",
    "ones": "value(1)",
    "constant": "value(0)",
    "identity": "eye(1)",
    "normal": "normal(0.05)",
    "truncated_normal": "cut(0.05, 2)",
    "uniform": "within(0.05)",
    "variance_scaling": "cut(sqrt(1 / fi) / 0.87962566103423978, 2)",
    "glorot_uniform": "within(sqrt(3 * 1 / ((fi + fo) / 2)))",
    "glorot_normal": "cut(sqrt(1 / ((fi + fo) / 2)) / 0.87962566103423978, 2)",
    "lecun_normal": "cut(sqrt(1 / fi) / 0.87962566103423978, 2)",
    "lecun_uniform": "within(sqrt(3 * 1 / fi))",
    "he_normal": "cut(sqrt(2 / fi) / 0.87962566103423978, 2)",
    "he_uniform": "within(sqrt(3 * 2 / fi))",
    "orthogonal": "haar(1)",
}
_KERAS_CLASSES = {
    "Zeros": "zeros",
    "zero": "zeros",
    "Ones": "ones",
    "one": "ones",
    "Constant": "constant",
    "Identity": "identity",
    "IdentityInitializer": "identity",
    "RandomNormal": "normal",
    "random_normal": "normal",
    "TruncatedNormal": "truncated_normal",
    "RandomUniform": "uniform",
    "random_uniform": "uniform",
    "VarianceScaling": "variance_scaling",
    "GlorotUniform": "glorot_uniform",
    "GlorotNormal": "glorot_normal",
    "LecunNormal": "lecun_normal",
    "LecunUniform": "lecun_uniform",
    "HeNormal": "he_normal",
    "HeUniform": "he_uniform",
    "Orthogonal": "orthogonal",
    "OrthogonalInitializer": "orthogonal",
}
_JAX = {
    "zeros": "value(0)",
    "ones": "value(1)",
    "uniform": "uniform(0, 0.01)",
    "normal": "normal(0.01)",
    "truncated_normal": "cut(0.01, 2)",
    "glorot_uniform": "within(sqrt(3 * 1 / ((fi + fo) / 2)))",
    "xavier_uniform": "within(sqrt(3 * 1 / ((fi + fo) / 2)))",
    "glorot_normal": "cut(sqrt(1 / ((fi + fo) / 2)) / 0.87962566103423978, 2)",
    "xavier_normal": "cut(sqrt(1 / ((fi + fo) / 2)) / 0.87962566103423978, 2)",
    "he_uniform": "within(sqrt(3 * 2 / fi))",
    "kaiming_uniform": "within(sqrt(3 * 2 / fi))",
    "he_normal": "cut(sqrt(2 / fi) / 0.87962566103423978, 2)",
    "kaiming_normal": "cut(sqrt(2 / fi) / 0.87962566103423978, 2)",
    "lecun_uniform": "within(sqrt(3 * 1 / fi))",
    "lecun_normal": "cut(sqrt(1 / fi) / 0.87962566103423978, 2)",
    "orthogonal": "haar(1)",
    "delta_orthogonal": "delta_haar(1)",
}
_TF1 = {
    "zeros": "value(0)",
    "ones": "value(1)",
    "constant": "value(0)",
    "random_uniform": "uniform(0, 1)",
    "random_normal": "normal(1)",
    "truncated_normal": "cut(1, 2)",
    "uniform_unit_scaling": "within(1 * sqrt(3 / fi))",
    "variance_scaling": "cut(sqrt(1 / fi) / 0.87962566103423978, 2)",
    "glorot_uniform": "within(sqrt(3 * 1 / ((fi + fo) / 2)))",
    "glorot_normal": "cut(sqrt(1 / ((fi + fo) / 2)) / 0.87962566103423978, 2)",
    "orthogonal": "haar(1)",
}

FORMULAS: dict[str, dict[str, str]] = {
    "torch": {
        **_prefixed("torch.nn.init.", **_TORCH),
        **{f"torch.nn.init.{name}_": text for name, text in _TORCH.items()},
        "torch.nn.init.ones_": "value(1)",
        "torch.nn.init.zeros_": "value(0)",
        "torch.nn.init.trunc_normal_": "cut(1, 2)",
    },
    "keras": _prefixed(
        "keras.",
        "keras.initializers.",
        **_KERAS,
        **{name: _KERAS[same] for name, same in _KERAS_CLASSES.items()},
    ),
    "jax": _prefixed("jax.nn.initializers.", **_JAX),
    "flax": {
        **_prefixed(
            "flax.linen.initializers.",
            "flax.nnx.initializers.",
            **_JAX,
            zeros_init="value(0)",
            ones_init="value(1)",
        ),
        "flax.linen.linear.default_kernel_init": _JAX["lecun_normal"],
        "flax.linen.linear.default_embed_init": "normal(sqrt(1 / fi))",
    },
    "tf1": {
        **{f"tf.{name}_initializer": text for name, text in _TF1.items()},
        **_prefixed(
            "tf.initializers.",
            **_TF1,
            he_normal="cut(sqrt(2 / fi) / 0.87962566103423978, 2)",
            he_uniform="within(sqrt(3 * 2 / fi))",
            lecun_normal="cut(sqrt(1 / fi) / 0.87962566103423978, 2)",
            lecun_uniform="within(sqrt(3 * 1 / fi))",
            identity="eye(1)",
        ),
        **_prefixed(
            "tf.contrib.layers.",
            xavier_initializer="within(sqrt(3 * 1 / ((fi + fo) / 2)))",
            xavier_initializer_conv2d="within(sqrt(3 * 1 / ((fi + fo) / 2)))",
            variance_scaling_initializer="cut(sqrt(1.3 * 2 / fi), 2)",
        ),
        "tf.contrib.framework.convolutional_delta_orthogonal": "delta_haar(1)",
    },
    "caffe": _prefixed(
        "caffe.",
        constant="value(0)",
        uniform="uniform(0, 1)",
        gaussian="normal(1)",
        positive_unitball="unit_rows()",
        xavier="within(sqrt(3 / fi))",
        msra="normal(sqrt(2 / fi))",
        bilinear="tent(lambda k, f: (k - 1) / (2 * f))",
    ),
    "mxnet": {
        **_prefixed(
            "mxnet.",
            "mxnet.init.",
            Zero="value(0)",
            One="value(1)",
            Uniform="within(0.07)",
            Normal="normal(0.01)",
            Xavier="within(sqrt(3 / ((fi + fo) / 2)))",
            MSRAPrelu="normal(sqrt(2 / (1 + 0.25**2) / ((fi + fo) / 2)))",
            Bilinear="tent(lambda k, f: (2 * f - 1 - f % 2) / (2 * f))",
            LSTMBias="forget(1)",
        ),
        "mxnet.zeros": "value(0)",
        "mxnet.ones": "value(1)",
    },
    "paddle": _prefixed(
        "paddle.nn.initializer.",
        Constant="value(0)",
        Normal="normal(1)",
        TruncatedNormal="cut(1, 2)",
        Uniform="within(1)",
        XavierUniform="within(1 * sqrt(6 / (fi + fo)))",
        XavierNormal="normal(1 * sqrt(2 / (fi + fo)))",
        KaimingUniform="within(sqrt(2) * sqrt(3 / fi))",
        KaimingNormal="normal(sqrt(2) / sqrt(fi))",
        Orthogonal="haar(1)",
        Dirac="dirac(1)",
    ),
    "flux": _prefixed(
        "Flux.",
        zeros32="value(0)",
        ones32="value(1)",
        rand32="uniform(0, 1)",
        randn32="normal(1)",
        glorot_uniform="within((1 - 0.5) * sqrt(24 / (fi + fo)))",
        glorot_normal="normal(sqrt(2 / (fi + fo)))",
        kaiming_uniform="within(sqrt(3) * sqrt(2) / sqrt(fi))",
        kaiming_normal="normal(sqrt(2) / sqrt(fi))",
        truncated_normal="cut(1, 2)",
        lecun_normal="normal(sqrt(1 / fi))",
        orthogonal="haar(1)",
        identity_init="eye(1)",
    ),
    "candle": {
        "candle.ZERO": "value(0)",
        "candle.ONE": "value(1)",
        "candle.DEFAULT_KAIMING_UNIFORM": "within(sqrt(3) * sqrt(2) / sqrt(fi))",
        "candle.DEFAULT_KAIMING_NORMAL": "normal(sqrt(2) / sqrt(fi))",
        "candle.linear.weight": "normal(sqrt(2) / sqrt(fi))",
        "candle.linear.bias": "within(1 / sqrt(fi))",
        "candle.conv.weight": "normal(sqrt(2) / sqrt(fi))",
        "candle.conv.bias": "within(1 / sqrt(fi))",
        "candle.conv_transpose2d.weight": "within(1 / sqrt(fi))",
        "candle.embedding.weight": "normal(1)",
        "candle.layer_norm.weight": "value(1)",
        "candle.layer_norm.bias": "value(0)",
        "candle.lstm.weight": "within(sqrt(3) * sqrt(2) / sqrt(fi))",
    },
    "burn": {
        "burn.Zeros": "value(0)",
        "burn.Ones": "value(1)",
        "burn.nn.Linear.weight": "within(sqrt(3) * (1 / sqrt(3)) / sqrt(fi))",
        "burn.nn.Conv2d.weight": "within(sqrt(3) * (1 / sqrt(3)) / sqrt(fi))",
        "burn.nn.Lstm": "normal(1 * sqrt(2 / (fi + fo)))",
    },
    "djl": {
        "djl.Initializer.ZEROS": "value(0)",
        "djl.Initializer.ONES": "value(1)",
        "djl.NormalInitializer": "normal(0.01)",
        "djl.UniformInitializer": "within(0.07)",
        "djl.TruncatedNormalInitializer": "cut(0.01, 2)",
        "djl.XavierInitializer": "within(sqrt(6 / ((fi + fo) / 2)))",
    },
    "mlx": _prefixed(
        "mlx.nn.init.",
        normal="normal(1)",
        uniform="uniform(0, 1)",
        identity="eye(1)",
        glorot_normal="normal(1 * sqrt(2 / (fi + fo)))",
        glorot_uniform="within(1 * sqrt(6 / (fi + fo)))",
        he_normal="normal(1 / sqrt(fi))",
        he_uniform="within(1 * sqrt(3 / fi))",
        orthogonal="haar(1)",
    ),
}
"""By framework and name."""
