"""Helpers of the tests of layers: a layer's tensors as NumPy arrays, and its plan."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import service
from tests.support import bytes_of, plan_of

Arrays = dict[str, NDArray[Any]]
KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8"}


def layer_recipe(layer: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"seed": 7, "layers": [{"name": "x", **layer}], **members}


def arrays_of(recipe: dict[str, Any]) -> Arrays:
    """Return a recipe's tensors by name, without the layer's."""
    plan = plan_of(recipe)
    data = bytes_of(plan)[len(plan.header) :]
    return {
        t.name[2:]: np.frombuffer(data[t.begin : t.end], KINDS[t.dtype.name]).reshape(t.shape)
        for t in plan.tensors
    }


def rows_of(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the row of each tensor in the plan, by name without the layer's."""
    parsed = service.parse(recipe)
    rows = service.explain(parsed, service.compile(parsed))["tensors"]
    return {row["name"][2:]: row for row in rows}
