"""``draw``: where a raw tensor's elements are drawn, when not under its own name and order."""

from typing import Any

from service.catalogue.tensor import Parts, Tensor
from service.catalogue.weight import View
from service.plan.diagnostics import Diagnostics


def view_of(tensor: Tensor, pointer: str, diagnostics: Diagnostics) -> View | None:
    """Return where a tensor is drawn; None where it has no ``draw``, or one that means nothing.

    Args:
        tensor: As the recipe states it; its slice and layout fit its shape.
        pointer: Where that is.
        diagnostics: Where to say what is wrong.
    """
    draw = tensor.draw
    if draw is None:
        return None
    order = _order(tensor.layout, draw.layout, len(tensor.shape))
    if order is None:
        diagnostics.add(
            f"{pointer}/draw/layout",
            "the layout of draw has the letters of the tensor's own layout, in another order:"
            f" state both ({tensor.layout or 'the tensor has none'})",
        )
        return None
    axes = [order.index(axis) for axis in range(len(order))]
    shape = tuple(tensor.shape[axis] for axis in axes)
    cuts = tensor.slice or [None] * len(shape)
    block = tuple(cuts[axis] or (0, tensor.shape[axis]) for axis in axes)
    changed: dict[str, Any] = {
        "name": draw.name,
        "shape": shape,
        "layout": draw.layout or tensor.layout,
    }
    if tensor.parts is not None:
        changed["parts"] = Parts.model_construct(axis=order[tensor.parts.axis], of=tensor.parts.of)
    return View(tensor.model_copy(update=changed), shape, block, order)


def _order(own: str | None, drawn: str | None, rank: int) -> tuple[int, ...] | None:
    """Return the drawn axis of each of the tensor's axes; the nth O is the nth O."""
    if drawn is None:
        return tuple(range(rank))
    if own is None or sorted(own) != sorted(drawn):
        return None
    # The nth of a letter is the nth: sorting by letter is stable, and pairs them.
    here, there = (sorted(range(rank), key=letters.__getitem__) for letters in (own, drawn))
    return tuple(axis for _, axis in sorted(zip(here, there, strict=True)))
