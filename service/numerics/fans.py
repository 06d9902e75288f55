"""Fans and gains: from a tensor's shape to the variance that keeps a signal's scale.

All arithmetic is + - * / and sqrt in float64, in the order written here, because the result affects
every bit of the file.

Sources:
    Glorot & Bengio 2010, section 4.2.1: https://proceedings.mlr.press/v9/glorot10a.html
    He et al. 2015, section 2.2: https://arxiv.org/abs/1502.01852
    Gains: LeCun et al. 1998, "Efficient BackProp" (tanh); Klambauer et al. 2017 (selu).
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from service.errors import DegenerateFan, MissingFan, truncate
from service.numerics.array import Array

FanMode = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
Nonlinearity = Literal["linear", "conv", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]


@dataclass(frozen=True, slots=True)
class Fans:
    """Connections into and out of one unit.

    Args:
        fan_in: Inputs that one output sums over.
        fan_out: Outputs that one input reaches.

    >>> Fans(2, 4).select("fan_avg")
    3.0
    """

    fan_in: int
    fan_out: int

    def select(self, mode: FanMode) -> float:
        """Return the fan that divides the variance, in connections per unit."""
        fan_in, fan_out = float(self.fan_in), float(self.fan_out)
        match mode:
            case "fan_in":
                return fan_in
            case "fan_out":
                return fan_out
            case "fan_avg":
                return (fan_in + fan_out) / 2
            case "fan_geo_avg":
                return math.sqrt(fan_in * fan_out)


class Geometry(NamedTuple):
    """The tensor as an initialization sees it: its block, and the meaning of its axes.

    Args:
        shape: Dimensions of the full tensor.
        layout: A letter an axis (``OIHW``): ``O`` out, ``I`` in, ``B`` batch, others receptive
            field. None is PyTorch's rule: axis 0 out, axis 1 in, the rest receptive field.
        fan: Explicit fans of the recipe; they win over shape and layout.
        axis: The axis that ``parts`` cuts.
        start: Where this part begins on that axis.
        stop: Where it ends; None is the end of the axis.

    >>> Geometry((64, 3, 7, 7)).fans
    Fans(fan_in=147, fan_out=3136)
    >>> Geometry((7, 7, 3, 64), layout="HWIO").fans
    Fans(fan_in=147, fan_out=3136)
    """

    shape: tuple[int, ...]
    layout: str | None = None
    fan: Fans | None = None
    axis: int = 0
    start: int = 0
    stop: int | None = None

    @property
    def part_shape(self) -> tuple[int, ...]:
        """Dimensions of the part; the full shape without parts."""
        if self.stop is None:
            return self.shape
        return (*self.shape[: self.axis], self.stop - self.start, *self.shape[self.axis + 1 :])

    @property
    def place(self) -> tuple[int, ...]:
        """What identifies the part in a digest: cut axis, start, then its dimensions."""
        return self.axis, self.start, *self.part_shape

    @property
    def letters(self) -> str:
        """The layout, a letter an axis.

        Raises:
            MissingFan: Fewer than two axes and no layout.
        """
        if self.layout is not None:
            return self.layout
        if len(self.shape) < 2:
            raise MissingFan(
                f"a shape of {len(self.shape)} axes has no fans: state"
                ' "fan": {"in": ..., "out": ...} or a "layout", or choose a law such as normal'
            )
        return "OI" + "K" * (len(self.shape) - 2)

    def coordinates(self, index: Array) -> list[Array]:
        """Return the coordinates of elements in the part, an array for each axis.

        Args:
            index: uint64, row-major indices in the full tensor.
        """
        at: list[Array] = []
        for size in reversed(self.shape):
            at.insert(0, index % size)
            index = index // size
        if self.start:
            at[self.axis] = at[self.axis] - self.start
        return at

    @property
    def fans(self) -> Fans:
        """The fans: explicit ones, else by layout, else by PyTorch's rule.

        Raises:
            MissingFan: None of the three gives any.

        """
        if self.fan is not None:
            return self.fan
        letters = self.letters
        if not set("OI") & set(letters):
            raise MissingFan(
                f"layout {letters} marks neither O nor I: mark the axes, or state"
                ' "fan": {"in": ..., "out": ...}'
            )
        fan_in = fan_out = 1
        for letter, size in zip(letters, self.part_shape, strict=True):
            fan_in *= 1 if letter in "OB" else size
            fan_out *= 1 if letter in "IB" else size
        return Fans(fan_in, fan_out)


def gain_squared(nonlinearity: Nonlinearity, negative_slope: float = 0.0) -> float:
    """Return the square of a nonlinearity's gain, the factor that its variance needs.

    Kept squared because the squares are rationals: tanh 25/9, relu 2, leaky_relu 2/(1 + a^2),
    selu 9/16, and 1 for linear, conv and sigmoid.

    Args:
        nonlinearity: The activation that follows the layer.
        negative_slope: a, leaky_relu's slope below zero; the others ignore it.

    >>> gain_squared("leaky_relu", 1.0)
    1.0
    """
    match nonlinearity:
        case "relu":
            return 2.0
        case "leaky_relu":
            return 2.0 / (1.0 + negative_slope * negative_slope)
        case "tanh":
            return 25.0 / 9.0
        case "selu":
            return 9.0 / 16.0
        case _:
            return 1.0


def variance_of(scale: float, gain2: float, fans: Fans, mode: FanMode) -> float:
    """Return scale * gain^2 / fan, the variance of every scheme that uses fans.

    Args:
        scale: Dimensionless factor of the scheme.
        gain2: Square of the nonlinearity's gain.
        fans: The tensor's fans.
        mode: Which of them divides.

    Raises:
        DegenerateFan: The selected fan is zero.
    """
    fan = fans.select(mode)
    if fan == 0.0:
        raise DegenerateFan(
            f"{mode} is 0 (in {truncate(fans.fan_in)}, out {truncate(fans.fan_out)}), so no"
            " variance exists: use zeros, or state another fan"
        )
    return (scale * gain2) / fan
