"""``draw``: a raw tensor that is drawn under another name or in another order of axes."""

from typing import Any

from service.catalogue.tensor import Parts, Tensor
from service.catalogue.weight import View
from service.plan.diagnostics import Diagnostics


def view_of(tensor: Tensor, pointer: str, diagnostics: Diagnostics) -> View | None:
    """Return the tensor as a view of the drawn one; None if it has no valid ``draw``.

    Args:
        tensor: The tensor as stated in the recipe; its slice and layout fit its shape.
        pointer: JSON Pointer to the tensor.
        diagnostics: Collects problems.
    """
    draw = tensor.draw
    if draw is None:
        return None
    order = _order(tensor.layout, draw.layout, len(tensor.shape))
    if order is None:
        diagnostics.add(
            f"{pointer}/draw/layout",
            "the layout of draw must be the tensor's layout in another order: state both"
            f" ({f'the tensor has {tensor.layout}' if tensor.layout else 'the tensor has none'})",
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
    """Return the drawn axis of each of the tensor's axes; None if the layouts do not match.

    If a letter occurs several times, its nth occurrence in one layout is its nth in the other.
    """
    if drawn is None:
        return tuple(range(rank))
    if own is None or sorted(own) != sorted(drawn):
        return None
    # Sorting by letter is stable, so it pairs the nth occurrences.
    own_axes, drawn_axes = (
        sorted(range(rank), key=letters.__getitem__) for letters in (own, drawn)
    )
    return tuple(axis for _, axis in sorted(zip(own_axes, drawn_axes, strict=True)))
