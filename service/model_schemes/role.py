"""The part that a weight plays in its model: what depth- and role-aware schemes go by."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

RoleName = Literal[
    "embedding",
    "position",
    "input",
    "query",
    "key",
    "value",
    "out",
    "ffn_in",
    "ffn_out",
    "conv",
    "hidden",
    "head",
    "vector",
]
"""What a weight does.

``embedding`` and ``position`` tables; ``input``: the layer that the data enters; ``query``, ``key``,
``value`` and ``out`` (the attention's output projection); ``ffn_in`` (gates too) and ``ffn_out``;
``conv``: of a residual branch; ``hidden``: any other matrix between; ``head``: the last layer;
``vector``: norms and biases.
"""

StackName = Literal["encoder", "decoder"]


class Role(NamedTuple):
    """What a weight does, and where.

    Args:
        name: What it does.
        depth: Its block, from 1; 0 outside the blocks.
        stack: Which stack the block is in.
        place: Which layer of its residual branch it is, from 1; 0 outside branches.
        of: How many layers its branch has.
        heads: Attention heads, where it is an ``out``; 0 if unknown.
    """

    name: RoleName
    depth: int = 0
    stack: StackName = "decoder"
    place: int = 0
    of: int = 0
    heads: int = 0


class Placed(NamedTuple):
    """A weight as a scheme over a whole model sees it.

    Args:
        name: Of the tensor.
        role: What it does.
        fan_in: Inputs of its layer; 0 where it has no fans.
        fan_out: Outputs of its layer.
    """

    name: str
    role: Role
    fan_in: int
    fan_out: int


@dataclass(frozen=True, slots=True)
class Whole:
    """The model around a weight.

    Args:
        encoder: Blocks of the encoder.
        decoder: Blocks of the decoder.
        branches: Residual branches in all.
        width: Features of the residual stream.
        weights: Every weight that has a role.
    """

    encoder: int
    decoder: int
    branches: int
    width: int
    weights: tuple[Placed, ...]

    @classmethod
    def of(cls, weights: Iterable[Placed]) -> "Whole":
        """Return the model that these weights make."""
        placed = tuple(weights)
        depths = {"encoder": 0, "decoder": 0}
        for weight in placed:
            stack = weight.role.stack
            depths[stack] = max(depths[stack], weight.role.depth)
        ends = [w for w in placed if w.role.of and w.role.place == w.role.of]
        width = next((w.fan_out for w in placed if w.role.name in ("out", "ffn_out")), 0)
        return cls(depths["encoder"], depths["decoder"], len(ends), width, placed)

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether it has both stacks."""
        return self.encoder > 0 and self.decoder > 0

    @property
    def blocks(self) -> int:
        """Blocks of its only stack, or of both."""
        return self.encoder + self.decoder
