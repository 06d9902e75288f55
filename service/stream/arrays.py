"""The tensors of a recipe as NumPy arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.plan import RecipeLike, plan_of
from service.stream.pipeline import shared


def generate(recipe: RecipeLike) -> dict[str, NDArray[Any]]:
    """Return a recipe's tensors as arrays, by name in file order.

    Args:
        recipe: A recipe at any stage.

    Returns:
        Little-endian arrays with the shapes of the file. NumPy has no bfloat16 and no 8-bit floats,
        so the bits of BF16 are returned as uint16 and those of F8 as uint8; view them with the
        dtypes of ml_dtypes.

    Raises:
        MalformedRecipe: The text is not strict JSON.
        InvalidRecipe: The recipe has errors.

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
