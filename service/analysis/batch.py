"""A client's batch of data, read from a safetensors file with a single tensor."""

import math

import numpy as np

from service.analysis.activation import Values
from service.container.donor import Donor
from service.errors import UnreadableFile, truncate
from service.limits import Limits
from service.numerics.cast import DTYPES

_F64 = DTYPES["F64"]


def batch_of(donor: Donor, limits: Limits) -> Values:
    """Return the examples in a file, as float64.

    Args:
        donor: The file's tensors. It must hold one, with the examples along its first axis.
        limits: The limits, of which ``max_analysis_values`` applies.

    Raises:
        UnreadableFile: The file does not hold one tensor, or the tensor has no floats, no values,
            too many values, or values that are not finite.
    """
    if len(donor) != 1:
        raise UnreadableFile(f"a batch is one tensor, but the file holds {len(donor)}")
    ((name, tensor),) = donor.items()
    batch = f"the batch, {truncate(name)!a},"
    if not tensor.casts_to(_F64):
        raise UnreadableFile(f"{batch} is {tensor.dtype}: send floats, such as F32")
    count = math.prod(tensor.shape)
    if len(tensor.shape) < 2 or not count:
        shape = list(tensor.shape)
        raise UnreadableFile(
            f"{batch} has the shape {shape}: send two or more axes, the examples first, none empty"
        )
    if count > limits.max_analysis_values:
        limit = limits.max_analysis_values
        raise UnreadableFile(
            f"{batch} has {count} values; the limit (max_analysis_values) is {limit}"
        )
    out = np.empty(count * _F64.size, dtype=np.uint8)
    tensor.fill(0, out, _F64)
    values = out.view(np.float64).reshape(tensor.shape)
    if not np.isfinite(values).all():
        raise UnreadableFile(f"{batch} has values that are not finite")
    return values
