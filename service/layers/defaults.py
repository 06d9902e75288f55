"""What frameworks initialize layers with, when nobody says otherwise.

Sources:
    torch.nn.Linear.reset_parameters: https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    keras.layers.Dense: https://keras.io/api/layers/core_layers/dense/
    flax.linen.Dense: https://flax.readthedocs.io/en/latest/api_reference/flax.linen/layers.html
    Caffe's FillerParameter: https://github.com/BVLC/caffe/blob/master/src/caffe/proto/caffe.proto
"""

import math

from service.schemes import Kaiming, LeCun, Ones, Scheme, Xavier, Zeros

ZEROS, ONES = Zeros(), Ones()

TORCH: Scheme = Kaiming(
    nonlinearity="leaky_relu", negative_slope=math.sqrt(5.0), distribution="uniform"
)
"""U(+-1/sqrt(fan_in)), as torch writes it: kaiming_uniform with a slope of sqrt 5."""

KERAS: Scheme = Xavier(distribution="uniform")
"""glorot_uniform."""

FLAX: Scheme = LeCun(distribution="truncated_normal")
"""lecun_normal, which JAX truncates at 2 sigma and widens."""

CAFFE: Scheme = ZEROS
"""A filler that is not stated is the constant 0."""
