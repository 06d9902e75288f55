"""Grows a network: tensors that a donor has are copied from it, all others are drawn."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from service.container.donor import Donor, DonorTensor
from service.errors import InvalidRecipe, Problem, truncate
from service.plan.model import Plan, PlannedTensor
from service.sources import Copied

_MAX_LISTED = 3
"""The number of tensors that an error names."""


def grow(plan: Plan, donor: Donor) -> Plan:
    """Return a plan that copies every tensor whose name and shape the donor has.

    The header stays the same: the donor's values are cast to the recipe's dtypes.

    Args:
        plan: The plan of a whole recipe.
        donor: The trained network; it must stay open while the result is used.

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
    """Return why a tensor of the donor is not used; empty if it is used."""
    if planned is None:
        return "the recipe has no tensor of this name"
    if planned.shape != planned.source.full_shape:
        return "the recipe has a slice of it, and slices are always generated"
    if planned.shape != donated.shape:
        return f"its shape is {truncate(list(donated.shape))}, the recipe's {list(planned.shape)}"
    if not donated.casts_to(planned.dtype):
        return f"it is {donated.dtype}, which cannot be cast to the recipe's {planned.dtype.name}"
    return ""


def _nothing_used(unused: Mapping[str, str]) -> str:
    listed = islice(unused.items(), _MAX_LISTED)
    named = "; ".join(f"{truncate(name)}: {reason}" for name, reason in listed)
    more = f"; and {len(unused) - _MAX_LISTED} more" if len(unused) > _MAX_LISTED else ""
    return f"no tensor of the donor can be used: {named or 'it has no tensors'}{more}"
