"""A batch of data, from a safetensors file with a single tensor."""

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
        donor: The file's tensors: exactly one, with examples along its first axis.
        limits: Limits the number of values.

    Raises:
        UnreadableFile: It holds another number of tensors, no floats, too many values, no values,
            or a value that is not finite.
    """
    if len(donor) != 1:
        raise UnreadableFile(f"a batch is one tensor, and the file holds {len(donor)}")
    ((name, held),) = donor.items()
    what = f"the batch, {truncate(name)!a},"
    if not held.casts_to(_F64):
        raise UnreadableFile(f"{what} is {held.dtype}: send floats, as F32")
    count = math.prod(held.shape)
    if len(held.shape) < 2 or not count:
        raise UnreadableFile(f"{what} has the shape {list(held.shape)}: examples come first")
    if count > limits.max_analysis_values:
        most = limits.max_analysis_values
        raise UnreadableFile(
            f"{what} has {count} values; the limit (max_analysis_values) is {most}"
        )
    out = np.empty(count * _F64.size, dtype=np.uint8)
    held.fill(0, out, _F64)
    values = out.view(np.float64).reshape(held.shape)
    if not np.isfinite(values).all():
        raise UnreadableFile(f"{what} has values that are not finite")
    return values
