"""Growing a network: tensors that a donor has are copied from it, the rest are drawn."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from service.container.donor import Donor, DonorTensor
from service.errors import InvalidRecipe, Problem, truncate
from service.plan.model import Plan, PlannedTensor
from service.sources import Copied

_LISTED = 3
"""Tensors that an error names."""


def grow(plan: Plan, donor: Donor) -> Plan:
    """Return the plan with every tensor copied whose name and shape the donor has.

    The header stays the same: dtypes are the recipe's, and the donor's values are cast to them.

    Args:
        plan: The plan of a whole recipe.
        donor: Stays open for as long as the result is used.

    Raises:
        InvalidRecipe: No tensor of the donor can be used.
    """
    planned = {tensor.name: tensor for tensor in plan.tensors}
    reasons = {name: _reason(tensor, planned.get(name)) for name, tensor in donor.items()}
    unused = {name: reason for name, reason in reasons.items() if reason}
    if len(unused) == len(reasons):
        raise InvalidRecipe([Problem("", _nothing_used(unused))])
    tensors = tuple(
        tensor._replace(source=Copied(donor[tensor.name], tensor.dtype))
        if tensor.name in reasons and tensor.name not in unused
        else tensor
        for tensor in plan.tensors
    )
    return replace(plan, tensors=tensors, unused=unused)


def _reason(donated: DonorTensor, planned: PlannedTensor | None) -> str:
    """Return why a tensor of the donor is not used; empty if it is."""
    if planned is None:
        return "the recipe makes no such tensor"
    if planned.shape != planned.source.full_shape:
        return "the recipe makes a slice of it, and slices are generated"
    if planned.shape != donated.shape:
        return f"its shape is {truncate(list(donated.shape))}, the recipe's {list(planned.shape)}"
    if not donated.casts_to(planned.dtype):
        return f"it is {donated.dtype}, which is not cast to the recipe's {planned.dtype.name}"
    return ""


def _nothing_used(unused: Mapping[str, str]) -> str:
    named = "; ".join(f"{truncate(name)}: {why}" for name, why in islice(unused.items(), _LISTED))
    more = f"; and {len(unused) - _LISTED} more" if len(unused) > _LISTED else ""
    return f"nothing of the donor can be used: {named or 'it holds no tensor'}{more}"
