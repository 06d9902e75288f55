"""A weight: one tensor of a layer or a model, its roles, and the drawn tensor that it views."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from service.catalogue.model_schemes.role import Role
from service.catalogue.schemes import Scheme
from service.catalogue.tensor import Part, Parts, StatedFan, Tensor
from service.numerics.fans import Fans


class View(NamedTuple):
    """A view of a drawn tensor: a block of it, with its axes in another order.

    Args:
        tensor: The drawn tensor, which has the random stream, the fans and the inits.
        axes: Its dimensions. Some are split in two: 32 becomes (4 gates, 8 units).
        block: [start, stop) on each of these axes.
        order: These axes in the order in which the file stores them.
        shuffle: An axis and the order of its coordinates in the file; None if no axis is shuffled.
    """

    tensor: Tensor
    axes: tuple[int, ...]
    block: tuple[tuple[int, int], ...]
    order: tuple[int, ...]
    shuffle: tuple[int, tuple[int, ...]] | None = None


class Weight(NamedTuple):
    """One tensor of a layer or a model.

    Args:
        tensor: The tensor as a recipe would state it.
        roles: Its roles in the network, one for each part of the drawn tensor; empty for buffers.
        view: The drawn tensor that it is a view of; None if it is drawn in its own order.
    """

    tensor: Tensor
    roles: tuple[Role, ...] = ()
    view: View | None = None


def tensor(  # noqa: PLR0913 - the fields of a tensor
    name: str,
    shape: Sequence[int],
    init: Scheme | None,
    *,
    layout: str | None = None,
    fan: Fans | None = None,
    dtype: str | None = None,
    parts: Parts | None = None,
) -> Tensor:
    """Return a tensor without validating it, for tensors that this service describes itself.

    Args:
        name: Its name.
        shape: Its dimensions.
        init: Its init; None if each of its ``parts`` has one.
        layout: One letter for each axis.
        fan: Explicit fans, instead of those computed from shape and layout.
        dtype: ``I64`` or a floating dtype; None for the dtype of the recipe.
        parts: Several inits along one axis.
    """
    given: dict[str, Any] = {"name": name, "shape": tuple(shape), "init": init, "layout": layout}
    if fan is not None:
        given["fan"] = stated_fan(fan)
    if dtype is not None:
        given["dtype"] = dtype
    if parts is not None:
        given["parts"] = parts
    return Tensor.model_construct(**given)


def stated_fan(fan: Fans) -> StatedFan:
    """Return explicit fans as a recipe states them."""
    return StatedFan.model_construct(fan_in=fan.fan_in, fan_out=fan.fan_out)


def parts(axis: int, of: Sequence[tuple[int, Scheme]]) -> Parts:
    """Return the parts of an axis, given the (size, init) of each."""
    entries = [
        Part.model_construct(size=size, init=cast("Any", init), fan=None) for size, init in of
    ]
    return Parts.model_construct(axis=axis, of=tuple(entries))
