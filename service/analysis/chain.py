"""Chains: a recipe's layers as links through which a signal passes, one after the other."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from service.analysis.activation import Activation
from service.catalogue.distributions import Distribution
from service.plan import PlannedTensor

LinkKind = Literal["linear", "convolution", "normalization"]

_POINTWISE = {"dirac", "delta_orthogonal"}
"""Schemes of convolutions in which only the central tap is not zero."""

POINTWISE_NORMS = {"layer_norm", "rms_norm"}
"""Normalizations over the features of each position separately."""

LINEAR = Activation(name="linear")

EPSILON = 1e-5
"""What frameworks add to a variance before dividing by its root."""


class Held(NamedTuple):
    """A tensor of a link.

    Args:
        tensor: The planned tensor.
        letters: The meaning of each axis: O out, I in, any other a position.
        part: Index of the used one of its equal parts along the outputs.
        parts: Number of these parts.
    """

    tensor: PlannedTensor
    letters: str
    part: int | None = None
    parts: int = 1

    @property
    def mean(self) -> float:
        """The mean of its values."""
        return math.fsum(share * law.moments[0] for share, law in self._laws())

    @property
    def square(self) -> float:
        """The second moment of its values."""
        return math.fsum(
            share * sum(moment * moment for moment in law.moments) for share, law in self._laws()
        )

    def _laws(self) -> list[tuple[float, Distribution]]:
        """Return laws with their shares of the values."""
        regions = self.tensor.source.block_regions
        if self.part is not None and len(regions) == self.parts:
            regions = (regions[self.part],)
        total = sum(region.stop - region.start for region in regions)
        return [((region.stop - region.start) / total, region.law) for region in regions]


@dataclass(frozen=True)
class Link:
    """A layer in a chain.

    Args:
        name: The layer's name.
        pointer: JSON Pointer to the layer.
        kind: What it computes.
        type: The layer's type.
        inputs: Input features or channels.
        outputs: Output features or channels.
        before: The activation before it.
        weight: Its weights, or a norm's scales; None for ones.
        bias: Its biases, or a norm's shifts; None for zeros.
        window: Sizes of a convolution's kernel.
        groups: Groups of a convolution.
        places: Sizes of its input image; a linear layer flattens it.
        channels_first: Whether a flattened image has its channels one after the other.
        opens: Whether a residual branch begins before it.
        closes: Whether the branch ends after it, and is added to the stream.
    """

    name: str
    pointer: str
    kind: LinkKind
    type: str
    inputs: int
    outputs: int
    before: Activation = LINEAR
    weight: Held | None = None
    bias: Held | None = None
    window: tuple[int, ...] = ()
    groups: int = 1
    places: tuple[int, ...] = ()
    channels_first: bool = True
    opens: bool = False
    closes: bool = False

    @property
    def has_weights(self) -> bool:
        """Whether it is not a norm."""
        return self.kind != "normalization"

    @property
    def fan_in(self) -> int:
        """Inputs that one output sums over."""
        return self.inputs // self.groups * math.prod(self.window)

    @property
    def fan_out(self) -> int:
        """Outputs that one input reaches."""
        return self.outputs // self.groups * math.prod(self.window)

    @property
    def weight_square(self) -> float:
        """The second moment of its weights, or of a norm's scales."""
        return self.weight.square if self.weight else 1.0

    @property
    def is_centred(self) -> bool:
        """Whether its sums are as random as theory assumes: not under ones, or an identity."""
        mean = self.weight.mean if self.weight and self.has_weights else 0.0
        return not self.fan_in * mean * mean > self.weight_square / 2

    @property
    def bias_square(self) -> float:
        """The second moment of its biases."""
        return self.bias.square if self.bias else 0.0

    @property
    def taps(self) -> tuple[int, ...]:
        """The part of the window whose weights are drawn: only the centre of a dirac kernel."""
        regions = self.weight.tensor.source.block_regions if self.weight else ()
        is_point = any(region.scheme.scheme in _POINTWISE for region in regions)
        return (1,) * len(self.window) if is_point else self.window


class Chain(NamedTuple):
    """Links in order, and their surroundings.

    Args:
        links: The links; at least one has weights.
        last: The activation after the last link.
        scale: Factor of residual branches.
        variance: Variance of the input.
    """

    links: tuple[Link, ...]
    last: Activation
    scale: float
    variance: float

    @property
    def layers(self) -> list[Link]:
        """The links with weights."""
        return [link for link in self.links if link.has_weights]

    @property
    def after(self) -> list[Activation]:
        """The activation after each of those layers."""
        return [*(link.before for link in self.layers[1:]), self.last]

    @property
    def ends(self) -> list[int]:
        """For each of those layers, the link after which its output is measured."""
        ends: list[int] = []
        for index, link in enumerate(self.links):
            if link.has_weights:
                ends.append(index)
            elif ends and ends[-1] == index - 1 and not link.opens:
                ends[-1] = index  # a norm after it; before a branch it belongs to the branch
        return ends

    @property
    def on_stream(self) -> list[bool]:
        """For each of those layers, whether its output is on the stream, not in a branch."""
        inside, after = False, []
        for link in self.links:
            inside = (inside or link.opens) and not link.closes
            after.append(not inside)
        return [after[end] for end in self.ends]
