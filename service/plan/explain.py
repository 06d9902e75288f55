"""Describes a plan: the law of each tensor and where it comes from, without drawing values."""

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from service.catalogue.schemes.scheme import canonical
from service.errors import SchemeError, truncate
from service.plan.gains import chain, gains
from service.plan.model import Plan, PlannedTensor
from service.recipe.model import Recipe
from service.sources import Copied, Region

_MAX_LISTED = 100
"""The most copied tensors and the most unused tensors of a donor that are listed."""

_UNKNOWN: dict[str, Any] = dict.fromkeys(
    (
        "init",
        "distribution",
        "fan_in",
        "fan_out",
        "gain",
        "forward_gain",
        "backward_gain",
        "formula",
        "source",
        "mean",
        "std",
        "low",
        "high",
    )
)
"""The fields of a row that are null if no single scheme determines them."""


def explain(recipe: Recipe, plan: Plan) -> dict[str, Any]:
    """Return the body of ``POST /v1/plan``.

    Args:
        recipe: The recipe.
        plan: Its plan.

    Returns:
        A JSON-ready object. It has the scheme of each tensor with its formula and source, its law,
        fans, gains, moments, range and offsets in the file. It also has the gains of all layers as
        a chain, as if each layer followed the previous one; totals, identifiers and warnings; and
        what is copied from a donor.
    """
    return {
        "generator": plan.generator,
        "recipe_id": recipe.recipe_id,
        "etag": plan.etag,
        "total_parameters": plan.total_parameters,
        "total_bytes": plan.nbytes,
        "header_bytes": len(plan.header),
        "forward": plan.forward,
        "chain": None if recipe.model else chain(_in_recipe_order(plan)),
        "warnings": [warning.detail for warning in plan.warnings],
        "donor": None if plan.unused is None else _donor(plan, plan.unused),
        "tensors": [_tensor(tensor) for tensor in plan.tensors],
    }


def _donor(plan: Plan, unused: Mapping[str, str]) -> dict[str, Any]:
    copied = [tensor for tensor in plan.tensors if isinstance(tensor.source, Copied)]
    return {
        "tensors_copied": len(copied),
        "bytes_copied": sum(tensor.nbytes for tensor in copied),
        "copied": [tensor.name for tensor in copied[:_MAX_LISTED]],
        "tensors_unused": len(unused),
        "unused": [
            {"name": truncate(name), "why": why}
            for name, why in islice(unused.items(), _MAX_LISTED)
        ],
    }


def _in_recipe_order(plan: Plan) -> list[PlannedTensor]:
    by_name = {tensor.name: tensor for tensor in plan.tensors}
    return [by_name[name] for name in plan.recipe_order]


def _tensor(tensor: PlannedTensor) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": tensor.name,
        "shape": tensor.shape,
        "dtype": tensor.dtype.name,
        "data_offsets": (tensor.begin, tensor.end),
    }
    row |= tensor.source.details(tensor.shape)
    regions = tensor.source.block_regions
    if not regions:
        return row | _UNKNOWN
    if len(regions) == 1:
        return row | _region(regions[0])
    parts = [{"start": r.start, "stop": r.stop, **_region(r)} for r in regions]
    return row | _mixture(regions) | {"axis": regions[0].geometry.axis, "parts": parts}


def _region(region: Region) -> dict[str, Any]:
    mean, std = region.law.moments
    forward, backward = gains(region) or (None, None)
    low, high = region.law.extremes
    gain_squared = getattr(region.scheme, "gain_squared", None)
    try:
        fans = region.geometry.fans
    except SchemeError:
        fans = None
    return {
        "scheme": region.scheme.scheme,
        "init": canonical(region.scheme),
        "distribution": region.law.name,
        "fan_in": fans.fan_in if fans else None,
        "fan_out": fans.fan_out if fans else None,
        "gain": None if gain_squared is None else _finite(math.sqrt(gain_squared)),
        "forward_gain": forward,
        "backward_gain": backward,
        "formula": region.scheme.formula,
        "source": region.scheme.source,
        "mean": mean,
        "std": std,
        "low": low,
        "high": high,
    }


def _finite(value: float) -> float | None:
    """Return the number; None if it is infinite, because JSON has no infinity."""
    return value if math.isfinite(value) else None


def _mixture(regions: Sequence[Region]) -> dict[str, Any]:
    """Return the moments of the whole tensor. A part is weighted by its share of the axis."""
    total = sum(r.stop - r.start for r in regions) or 1
    weighted = [((r.stop - r.start) / total, *r.law.moments) for r in regions]
    mean = sum(weight * m for weight, m, _ in weighted)
    # hypot, because the square of a float64 may overflow.
    std = math.hypot(*(math.sqrt(w) * d for w, m, s in weighted for d in (s, m - mean)))
    return _UNKNOWN | {
        "scheme": "parts",
        "distribution": "mixture",
        "mean": mean,
        "std": std,
        "low": min(r.law.extremes[0] for r in regions),
        "high": max(r.law.extremes[1] for r in regions),
    }
