"""Growing a network: what of a plan a donor has is copied from it, the rest is drawn."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from service.container.donor import Donor, DonorTensor
from service.errors import InvalidRecipe, Problem, truncate
from service.plan.model import Plan, PlannedTensor

_LISTED = 3
"""Tensors that a refusal names."""


def grown(plan: Plan, donor: Donor) -> Plan:
    """Return the plan with every tensor copied whose name and shape the donor has.

    The header stays: a dtype is the recipe's, to which the donor's values are cast.

    Args:
        plan: A whole recipe's.
        donor: Open for as long as the result is used.

    Raises:
        InvalidRecipe: Nothing of the donor can be used.
    """
    made = {tensor.name: tensor for tensor in plan.tensors}
    reasons = {name: _reason(held, made.get(name)) for name, held in donor.items()}
    unused = {name: reason for name, reason in reasons.items() if reason}
    if len(unused) == len(reasons):
        raise InvalidRecipe([Problem("", _nothing(unused))])
    tensors = tuple(
        tensor._replace(donor=donor[tensor.name])
        if tensor.name in reasons and tensor.name not in unused
        else tensor
        for tensor in plan.tensors
    )
    return replace(plan, tensors=tensors, unused=unused)


def _reason(held: DonorTensor, made: PlannedTensor | None) -> str:
    """Say why a tensor of the donor is not used; nothing if it is."""
    if made is None:
        return "the recipe makes no such tensor"
    if made.shape != made.full_shape:
        return "the recipe makes a slice of it, and slices are generated"
    if made.shape != held.shape:
        return f"its shape is {truncate(list(held.shape))}, the recipe's {list(made.shape)}"
    if not held.casts_to(made.dtype):
        return f"it is {held.dtype}, which is not cast to the recipe's {made.dtype.name}"
    return ""


def _nothing(unused: Mapping[str, str]) -> str:
    named = "; ".join(f"{truncate(name)}: {why}" for name, why in islice(unused.items(), _LISTED))
    more = f"; and {len(unused) - _LISTED} more" if len(unused) > _LISTED else ""
    return f"nothing of the donor can be used: {named or 'it holds no tensor'}{more}"
