"""Forms: how a convention stores a parameter whose axes have a meaning of their own.

A parameter is one thing (the kernel of a convolution, the input weights of four gates) and every
convention holds it in its own way: axes in another order, several of them merged into one, or in
several tensors. A form says that in letters: ``O I H W`` and ``H W I O`` hold one kernel, and
``(G O) I`` merges gates and units where ``I O`` with gate 2 is a tensor of that gate alone. From
two forms follows which element of one is which of the other.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from service.numerics.fans import Fans
from service.schemes import Scheme

Convention = Literal["pytorch", "keras", "flax", "caffe"]

Kind = Literal["weight", "bias", "norm", "buffer"]
"""What a parameter is: ``init`` sets weights and ``bias_init`` biases, nothing the others."""


@dataclass(frozen=True, slots=True)
class Held:
    """One tensor in which a convention holds a parameter, or a piece of it.

    Args:
        name: What follows the layer's name.
        form: The tensor's axes in the file; those in brackets are merged into one.
        init: The convention's own init.
        at: Coordinates of the axes that the form leaves out, each its own tensor.
        shuffle: An axis and the order of its coordinates, where that is another than the others'.
        fan: The fans that the convention's own init takes, where they are not those of the form.
        dtype: ``I64`` for counters.
    """

    name: str
    form: str
    init: Scheme
    at: Mapping[str, int] = field(default_factory=dict)
    shuffle: tuple[str, tuple[int, ...]] | None = None
    fan: Fans | None = None
    dtype: str | None = None

    @property
    def axes(self) -> tuple[str, ...]:
        """The letters in order, merged or not.

        >>> Held("w", "(G O) I", None).axes
        ('G', 'O', 'I')
        """
        return tuple(self.form.replace("(", "").replace(")", "").split())

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The letters of each axis of the file.

        >>> Held("w", "(G O) I", None).groups
        (('G', 'O'), ('I',))
        """
        found: list[tuple[str, ...]] = []
        inside = False
        for word in self.form.split():
            letter = word.strip("()")
            if inside:
                found[-1] = (*found[-1], letter)
            else:
                found.append((letter,))
            inside = word.startswith("(") or (inside and not word.endswith(")"))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a layer, in every convention that has it.

    Args:
        kind: What it is.
        sizes: Its axes by letter.
        held: The tensors of each convention.
        inputs: Letters of the axes that an output sums over.
        outputs: Letters of the axes that tell outputs apart; the rest is receptive field.
        packs: Letters of axes that only set several parameters side by side: gates, projections.
    """

    kind: Kind
    sizes: Mapping[str, int]
    held: Mapping[Convention, tuple[Held, ...]]
    inputs: str = "I"
    outputs: str = "O"
    packs: str = ""

    def shape(self, held: Held) -> tuple[int, ...]:
        """Return the dimensions of a tensor that holds it."""
        return tuple(math.prod(self.sizes[a] for a in group) for group in held.groups)

    def layout(self, held: Held) -> str:
        """Return a letter an axis of a tensor that holds it, for its fans."""
        return "".join(self._letter(group) for group in held.groups)

    def _letter(self, group: tuple[str, ...]) -> str:
        for axis in group:
            if axis in self.inputs:
                return "I"
            if axis in self.outputs or axis in self.packs:
                return "O"
        return "K"
