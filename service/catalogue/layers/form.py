"""Forms: how a convention stores a parameter whose axes have a meaning of their own.

A parameter (the kernel of a convolution, the input weights of four gates) is stored differently by
every convention: with axes in another order, with several axes merged into one, or in several
tensors. A form describes that in letters: ``O I H W`` and ``H W I O`` store one kernel, ``(G O) I``
merges gates and units, and ``I O`` with gate 2 is a tensor of that gate alone. Two forms determine
which element of one is which element of the other.

A letter's meaning is the same everywhere: ``I`` and ``J`` inputs, ``O`` and ``P`` outputs; ``G``
gates or projections, ``N`` groups and ``T`` twin biases, which are only stacked side by side;
any other is receptive field. An axis of size 1 may be left out or put anywhere.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from service.catalogue.model_schemes.role import RoleName
from service.catalogue.schemes import Scheme
from service.catalogue.tensor import Tensor
from service.catalogue.weight import View
from service.numerics.fans import Fans

Convention = Literal["pytorch", "keras", "flax", "caffe"]

Kind = Literal["weight", "bias", "slope", "norm", "buffer"]
"""The kind of a parameter.

A layer's ``init`` sets weights and slopes, its ``bias_init`` sets biases, and the recipe's ``init``
sets weights only; nothing sets the others.
"""

_INPUTS, _OUTPUTS, _NEIGHBOURS = "IJ", "OP", "GNT"


@cache
def _groups(form: str) -> tuple[str, ...]:
    merged, groups = False, [""]
    for letter in form:
        merged = letter == "(" or (merged and letter != ")")
        if letter == " " and not merged:
            groups.append("")
        elif letter.isalpha():
            groups[-1] += letter
    return tuple(group for group in groups if group)


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor that stores a parameter, or a piece of it, in a convention.

    Args:
        name: Its name after the layer's name.
        form: The tensor's axes in the file; those in parentheses are merged into one.
        init: The convention's own init.
        fan: The fans that the convention's own init uses, if they are not the true ones.
        at: Coordinates of the axes that the form leaves out, each of which has its own tensor.
        gates: The order of the coordinates of G in the file, if it differs.
        dtype: ``I64`` for counters.
    """

    name: str
    form: str
    init: Scheme
    fan: Fans | None = None
    at: Mapping[str, int] = field(default_factory=dict)
    gates: tuple[int, ...] = ()
    dtype: str | None = None

    @property
    def groups(self) -> tuple[str, ...]:
        """The letters of each axis of the file.

        >>> StoredTensor("w", "(G O) I", None).groups
        ('GO', 'I')
        """
        return _groups(self.form)

    def place(self, gate: int) -> int:
        """Return the position of a gate on G in the file."""
        return self.gates.index(gate) if self.gates else gate


Tensors = dict[Convention, tuple[StoredTensor, ...]]
"""The tensors of a parameter in each convention."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a layer, in every convention that has it.

    Args:
        kind: Its kind.
        sizes: Its axes by letter.
        tensors: The tensors of each convention.
        fan: Its true fans, if its axes do not determine them: a bias has those of its weights.
        roles: The role of each gate or projection for a scheme over the model, or one role for
            all; empty: the layer's.
        zero_row: The coordinate on the first axis that is 0, whatever the init.
    """

    kind: Kind
    sizes: Mapping[str, int]
    tensors: Tensors
    fan: Fans | None = None
    roles: tuple[RoleName, ...] = ()
    zero_row: int | None = None

    @property
    def fans(self) -> Fans | None:
        """Inputs that one output sums over, and outputs that one input reaches.

        >>> Parameter("weight", {"N": 2, "O": 8, "I": 3, "H": 5}, {}).fans
        Fans(fan_in=15, fan_out=40)
        """
        if self.fan is not None or self.kind not in ("weight", "bias"):
            return self.fan
        left_out = _NEIGHBOURS + _OUTPUTS, _NEIGHBOURS + _INPUTS
        return Fans(*(self._elements(a for a in self.sizes if a not in out) for out in left_out))

    def shape(self, stored: StoredTensor) -> tuple[int, ...]:
        """Return the dimensions of a tensor that stores it."""
        return tuple(self._elements(group) for group in stored.groups)

    def layout(self, stored: StoredTensor) -> str:
        """Return a letter for each axis of a tensor that stores it, for schemes that use axes."""
        return "".join(_letter(group) for group in stored.groups)

    def axes(self, stored: StoredTensor) -> list[str]:
        """Return the letters in the order of the file, merged or not, without axes of size 1."""
        return [axis for axis in "".join(stored.groups) if self.sizes[axis] > 1]

    def elements(self, convention: Convention) -> int:
        """Return the number of its elements in a convention."""
        return sum(math.prod(self.shape(stored)) for stored in self.tensors.get(convention, ()))

    def at(self, stored: StoredTensor) -> dict[str, int]:
        """Return the coordinates that a tensor is restricted to, without axes of size 1."""
        return {axis: at for axis, at in stored.at.items() if self.sizes[axis] > 1}

    def overlapping(self, stored: StoredTensor, convention: Convention) -> list[StoredTensor]:
        """Return the tensors of a convention that share elements with ``stored``."""
        at = self.at(stored)
        return [
            other
            for other in self.tensors.get(convention, ())
            if all(at.get(axis, place) == place for axis, place in self.at(other).items())
        ]

    def is_within(self, stored: StoredTensor, other: StoredTensor) -> bool:
        """Return whether all of ``stored`` is in ``other``, given that they overlap."""
        return self.at(other).keys() <= self.at(stored).keys()

    def view(self, stored: StoredTensor, other: StoredTensor, drawn: Tensor) -> View:
        """Return ``stored`` as a view of ``other``, which contains it.

        Args:
            stored: The tensor in the file.
            other: The tensor that is drawn.
            drawn: ``other`` as a tensor of a recipe.
        """
        axes, at = self.axes(other), self.at(stored)
        block = [(0, self.sizes[axis]) for axis in axes]
        left_out = [axis for axis in axes if axis in at]
        for axis in left_out:
            start = other.place(at[axis]) if axis == "G" else at[axis]
            block[axes.index(axis)] = (start, start + 1)
        order = tuple(axes.index(axis) for axis in [*left_out, *self.axes(stored)])
        shuffle = None
        if "G" in self.axes(stored):
            straight = tuple(range(self.sizes["G"]))
            places = tuple(other.place(gate) for gate in stored.gates or straight)
            shuffle = (axes.index("G"), places) if places != straight else None
        return View(drawn, tuple(self.sizes[a] for a in axes), tuple(block), order, shuffle)

    def _elements(self, axes: Iterable[str]) -> int:
        return math.prod(self.sizes[axis] for axis in axes)


def _letter(group: str) -> str:
    """Return the meaning of an axis of the file: in, out or receptive field.

    >>> _letter("NI"), _letter("GO"), _letter("H")
    ('I', 'O', 'K')
    """
    if set(group) & set(_INPUTS):
        return "I"
    return "O" if set(group) & set(_OUTPUTS + _NEIGHBOURS) else "K"


def same_form(
    kind: Kind,
    sizes: Mapping[str, int],
    init: Scheme,
    names: Mapping[Convention, str],
    *,
    dtype: str | None = None,
) -> Parameter:
    """Return a parameter that all its conventions store in one form, with one init.

    Args:
        kind: Its kind.
        sizes: Its axes by letter, in the order of the file.
        init: Its init.
        names: Its name in each convention.
        dtype: ``I64`` for counters.
    """
    form = " ".join(sizes)
    tensors: Tensors = {
        c: (StoredTensor(name, form, init, dtype=dtype),) for c, name in names.items()
    }
    return Parameter(kind, sizes, tensors)
