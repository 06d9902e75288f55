"""The tensors of a recipe as NumPy arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.plan import RecipeLike, plan_of
from service.stream.pipeline import shared


def generate(recipe: RecipeLike) -> dict[str, NDArray[Any]]:
    """Return a recipe's tensors as arrays, by name in file order.

    Args:
        recipe: A recipe in any stage.

    Returns:
        Little-endian arrays of the block's shape. NumPy has no bfloat16 and no 8-bit floats: BF16
        is returned as uint16 and F8 as uint8, their bits, to be viewed as ml_dtypes' types.

    Raises:
        MalformedRecipe: The text is not strict JSON.
        InvalidRecipe: The recipe cannot be carried out.

    >>> generate({"seed": 1, "tensors": [{"name": "b", "shape": [2], "init": "ones"}]})
    {'b': array([1., 1.], dtype=float32)}
    """
    plan, pipeline = plan_of(recipe), shared()
    arrays: dict[str, NDArray[Any]] = {}
    for tensor in plan.tensors:
        out = np.empty(tensor.nbytes, dtype=np.uint8)
        pipeline.fill(plan, len(plan.header) + tensor.begin, out)
        arrays[tensor.name] = out.view(tensor.dtype.storage).reshape(tensor.shape)
    return arrays
