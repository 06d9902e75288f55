"""A weight: one tensor of a layer or a model, its role, and the drawn tensor it is a view of."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from service.catalogue.model_schemes.role import Role
from service.catalogue.schemes import Scheme
from service.catalogue.tensor import Part, Parts, StatedFan, Tensor
from service.numerics.fans import Fans


class View(NamedTuple):
    """A tensor as a view of a drawn one: a block of it, with its axes in another order.

    Args:
        tensor: The drawn tensor, which has the random stream, the fans and the inits.
        axes: Its dimensions, some of them split in two: (4 gates, 8 units) for 32.
        block: [start, stop) on each of those axes.
        order: Those axes in the order in which the file stores them.
        shuffle: An axis and the order of its coordinates in the file, where that differs.
    """

    tensor: Tensor
    axes: tuple[int, ...]
    block: tuple[tuple[int, int], ...]
    order: tuple[int, ...]
    shuffle: tuple[int, tuple[int, ...]] | None = None


class Weight(NamedTuple):
    """One tensor, complete but for the seed.

    Args:
        tensor: As a recipe would state it.
        roles: What it is in the network, one for each part of the drawn tensor; none for buffers.
        view: The drawn tensor it is a view of; None if it is drawn as it is.
    """

    tensor: Tensor
    roles: tuple[Role, ...] = ()
    view: View | None = None


def tensor(  # noqa: PLR0913 - what a tensor has
    name: str,
    shape: Sequence[int],
    init: Scheme | None,
    *,
    layout: str | None = None,
    fan: Fans | None = None,
    dtype: str | None = None,
    parts: Parts | None = None,
) -> Tensor:
    """Return a tensor without validating it: for tensors that a program describes.

    Args:
        name: Its name.
        shape: Its dimensions.
        init: Its init; None if each of its ``parts`` has one.
        layout: A letter an axis.
        fan: Explicit fans, instead of those of shape and layout.
        dtype: ``I64`` or a floating dtype; None for the recipe's.
        parts: Several inits along one axis.
    """
    given: dict[str, Any] = {"name": name, "shape": tuple(shape), "init": init, "layout": layout}
    if fan is not None:
        given["fan"] = stated(fan)
    if dtype is not None:
        given["dtype"] = dtype
    if parts is not None:
        given["parts"] = parts
    return Tensor.model_construct(**given)


def stated(fan: Fans) -> StatedFan:
    """Return explicit fans in the form of a recipe."""
    return StatedFan.model_construct(fan_in=fan.fan_in, fan_out=fan.fan_out)


def parts(axis: int, of: Sequence[tuple[int, Scheme]]) -> Parts:
    """Return the parts of an axis from the (size, init) of each."""
    made = [Part.model_construct(size=size, init=cast("Any", init), fan=None) for size, init in of]
    return Parts.model_construct(axis=axis, of=tuple(made))
