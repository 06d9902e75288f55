"""Chains: a recipe's layers as links that a signal passes one after the other."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from service.analysis.activation import Activation
from service.catalogue.distributions import Distribution
from service.plan import PlannedTensor

LinkKind = Literal["linear", "convolution", "normalization"]

_POINTWISE = {"dirac", "delta_orthogonal"}
"""Schemes of convolutions whose kernels are zero except at the central tap."""

POINTWISE_NORMS = {"layer_norm", "rms_norm"}
"""Normalizations over the features of each position separately."""

LINEAR = Activation(name="linear")

EPSILON = 1e-5
"""Added to a variance by normalizations before they take its square root, as in frameworks."""


class LinkTensor(NamedTuple):
    """A tensor of a link.

    Args:
        tensor: The planned tensor.
        letters: One letter for each axis: O for outputs, I for inputs, any other for a position.
        part: Index of the part that the link uses, if the tensor packs equal parts along the
            outputs; None for all of it.
        parts: Number of these parts.
    """

    tensor: PlannedTensor
    letters: str
    part: int | None = None
    parts: int = 1

    @property
    def mean(self) -> float:
        """The mean of the values."""
        return math.fsum(share * law.moments[0] for share, law in self._laws())

    @property
    def square(self) -> float:
        """The second moment of the values."""
        return math.fsum(
            share * sum(moment * moment for moment in law.moments) for share, law in self._laws()
        )

    def _laws(self) -> list[tuple[float, Distribution]]:
        """Return the laws, each with its share of the values."""
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
        kind: What the link computes.
        type: The layer's type.
        inputs: Input features or channels.
        outputs: Output features or channels.
        before: The activation applied to its input.
        weight: Its weights, or a norm's scales; None means ones.
        bias: Its biases, or a norm's shifts; None means zeros.
        window: Kernel size of a convolution, for each axis.
        groups: Number of groups of a convolution or group norm.
        places: Size of its input image, for each axis; a linear layer flattens the image.
        channels_first: Whether flattening an image puts all positions of a channel together.
        opens: Whether a residual branch begins before it.
        closes: Whether the branch ends after it and is added to the residual stream.
    """

    name: str
    pointer: str
    kind: LinkKind
    type: str
    inputs: int
    outputs: int
    before: Activation = LINEAR
    weight: LinkTensor | None = None
    bias: LinkTensor | None = None
    window: tuple[int, ...] = ()
    groups: int = 1
    places: tuple[int, ...] = ()
    channels_first: bool = True
    opens: bool = False
    closes: bool = False

    @property
    def has_weights(self) -> bool:
        """Whether it is a linear layer or a convolution, not a norm."""
        return self.kind != "normalization"

    @property
    def fan_in(self) -> int:
        """Number of inputs that one output sums over."""
        return self.inputs // self.groups * math.prod(self.window)

    @property
    def fan_out(self) -> int:
        """Number of outputs that one input affects."""
        return self.outputs // self.groups * math.prod(self.window)

    @property
    def weight_square(self) -> float:
        """The second moment of the weights, or of a norm's scales."""
        return self.weight.square if self.weight else 1.0

    @property
    def is_centred(self) -> bool:
        """Whether the mean of the weights is small enough for the theory.

        It is not for ones or identity.
        """
        mean = self.weight.mean if self.weight and self.has_weights else 0.0
        return not self.fan_in * mean * mean > self.weight_square / 2

    @property
    def bias_square(self) -> float:
        """The second moment of the biases, or of a norm's shifts."""
        return self.bias.square if self.bias else 0.0

    @property
    def taps(self) -> tuple[int, ...]:
        """Size of the part of the kernel that is not zero: 1 per axis for a dirac kernel."""
        regions = self.weight.tensor.source.block_regions if self.weight else ()
        is_point = any(region.scheme.scheme in _POINTWISE for region in regions)
        return (1,) * len(self.window) if is_point else self.window


class Chain(NamedTuple):
    """Links in order, with the input and what follows the last link.

    Args:
        links: The links; at least one has weights.
        last: The activation after the last link.
        scale: Factor of every residual branch.
        variance: Variance of the chain's input.
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
        """For each layer with weights, the activation after it."""
        return [*(link.before for link in self.layers[1:]), self.last]

    @property
    def ends(self) -> list[int]:
        """For each layer with weights, the index of the link after which its output is measured."""
        ends: list[int] = []
        for index, link in enumerate(self.links):
            if link.has_weights:
                ends.append(index)
            elif ends and ends[-1] == index - 1 and not link.opens:
                ends[-1] = index  # a norm right after the layer, unless it opens a branch
        return ends

    @property
    def on_stream(self) -> list[bool]:
        """For each layer with weights, whether its output is on the residual stream."""
        inside, after = False, []
        for link in self.links:
            inside = (inside or link.opens) and not link.closes
            after.append(not inside)
        return [after[end] for end in self.ends]
