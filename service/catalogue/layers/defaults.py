"""The default initializers of the frameworks' layers.

Sources:
    torch.nn's reset_parameters: https://docs.pytorch.org/docs/stable/nn.html
    Keras 3: https://keras.io/api/layers/
    flax.linen: https://flax.readthedocs.io/en/latest/api_reference/flax.linen/layers.html
    Caffe's FillerParameter: https://github.com/BVLC/caffe/blob/master/src/caffe/proto/caffe.proto
"""

import math

from service.catalogue.schemes import (
    Kaiming,
    LeCun,
    LstmForget,
    Normal,
    Ones,
    Orthogonal,
    Scheme,
    Uniform,
    VarianceScaling,
    Xavier,
    Zeros,
)

ZEROS: Scheme = Zeros()
ONES: Scheme = Ones()

TORCH = Kaiming(nonlinearity="leaky_relu", negative_slope=math.sqrt(5.0), distribution="uniform")
"""U(+-1/sqrt(fan_in)), which torch writes as kaiming_uniform with a slope of sqrt(5)."""

TORCH_PACKED: Scheme = VarianceScaling(scale=0.5, distribution="uniform")
"""xavier_uniform over query, key and value as one matrix: half the variance of a single one."""

TORCH_TABLE: Scheme = Normal(std=1.0)

KERAS: Scheme = Xavier(distribution="uniform")
"""glorot_uniform."""

KERAS_TABLE: Scheme = Uniform(low=-0.05, high=0.05)

KERAS_GATES: Scheme = LstmForget()
"""unit_forget_bias."""

FLAX: Scheme = LeCun(distribution="truncated_normal")
"""lecun_normal, which JAX truncates at 2 sigma and then rescales to the same std."""

FLAX_TABLE: Scheme = VarianceScaling(distribution="normal")
"""Variance 1 / embedding_dim."""

ORTHOGONAL: Scheme = Orthogonal()

CAFFE: Scheme = ZEROS
"""Caffe's default filler is the constant 0."""
