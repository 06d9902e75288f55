"""The role of a weight in its model, for schemes that depend on depth and role."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Literal, NamedTuple

from service.catalogue.schemes import Scheme
from service.errors import SchemeError, truncate

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
"""The role of a weight.

``embedding`` and ``position`` tables; ``input``: the layer that the data enters; ``query``,
``key``, ``value`` and ``out`` (the attention's output projection); ``ffn_in`` (gates too) and
``ffn_out``; ``conv``: of a residual branch; ``hidden``: any other matrix; ``head``: the
last layer; ``vector``: norms and biases.
"""

StackName = Literal["encoder", "decoder"]

RESIDUAL: frozenset[RoleName] = frozenset({"out", "ffn_out"})
"""Roles that end a transformer's branches: their outputs are added to the residual stream."""

SCALED: frozenset[RoleName] = RESIDUAL | {"value", "ffn_in"}
"""Roles that DeepNorm, Sub-LN and T-Fixup scale; queries and keys only shape the softmax."""

BLOCK: frozenset[RoleName] = SCALED | {"query", "key"}
"""Every matrix of a transformer's block."""


class Role(NamedTuple):
    """The role of a weight, and its position in the model.

    Args:
        name: The role.
        depth: Its block, from 1; 0 outside the blocks.
        stack: The stack of the block.
        place: Its number in the residual branch, from 1; 0 outside branches.
        of: Number of layers in its branch.
        heads: Number of attention heads, for ``out``; 0 if unknown.
    """

    name: RoleName
    depth: int = 0
    stack: StackName = "decoder"
    place: int = 0
    of: int = 0
    heads: int = 0


class Placed(NamedTuple):
    """A weight, or a part of a packed one, as schemes over models see it.

    Args:
        name: Name of the tensor.
        role: Its role.
        fan_in: Inputs of its layer; 0 without fans.
        fan_out: Outputs of its layer; 0 without fans.
        own: The init of the model's architecture, or of the layer.
        base: The same weight in the base model, if the scheme has one.
    """

    name: str
    role: Role
    fan_in: int
    fan_out: int
    own: Scheme
    base: "Placed | None" = None

    @property
    def is_matrix(self) -> bool:
        """Whether it is not a norm's scale or a bias."""
        return self.role.name != "vector" and self.fan_in > 0

    @property
    def layer(self) -> str:
        """Prefix of the names of its layer's tensors.

        >>> Placed("h.0.attn.c_proj.weight", Role("out"), 4, 4, own=...).layer
        'h.0.attn.c_proj.'
        """
        return "".join(_modules(self.name))

    @property
    def module(self) -> str:
        """Prefix of the names in the module around its layer."""
        return "".join(_around(self.name))


Branch = list[Placed]
"""The matrices of a residual branch; the last one's outputs are added to the stream."""


@dataclass(frozen=True)
class Whole:
    """A whole model.

    Args:
        weights: Every weight that has a role, in the model's order.
    """

    weights: tuple[Placed, ...]

    @cached_property
    def depths(self) -> dict[StackName, int]:
        """Number of blocks of each stack that has any."""
        depths: dict[StackName, int] = {}
        for weight in self.weights:
            _, depth, stack, *_ = weight.role
            if depth:
                depths[stack] = max(depth, depths.get(stack, 0))
        return depths

    @cached_property
    def layers(self) -> dict[RoleName, set[str]]:
        """Prefixes of the names of tensors in the layers of each role."""
        layers: dict[RoleName, set[str]] = {}
        for weight in self.weights:
            layers.setdefault(weight.role.name, set()).add(weight.layer)
        return layers

    @cached_property
    def branches(self) -> list[Branch]:
        """The residual branches: consecutive matrices up to one that ends a branch."""
        branches: list[Branch] = []
        open_branch: Branch = []
        for weight in self.weights:
            role = weight.role
            if role.of:
                open_branch.append(weight)
            if role.of and role.place == role.of:
                branches.append(open_branch)
                open_branch = []
        return branches

    @cached_property
    def blocks(self) -> list[list[Branch]]:
        """The blocks: consecutive branches of one depth."""
        blocks: list[list[Branch]] = []
        before = None
        for branch in self.branches:
            role = branch[-1].role
            if (role.stack, role.depth) != before:
                blocks.append([])
            blocks[-1].append(branch)
            before = role.stack, role.depth
        return blocks

    def having(self, roles: Collection[RoleName], scheme: str) -> list[Placed]:
        """Return the weights in blocks that have one of these roles.

        Args:
            roles: The roles.
            scheme: Name of the scheme, for errors.

        Raises:
            SchemeError: There are none, or one of them is not in a block.
        """
        found = [weight for weight in self.weights if weight.role.name in roles]
        if not found:
            raise SchemeError(
                f"{scheme} speaks of weights whose role is {' or '.join(sorted(roles))}, and there"
                " are none: take a model that has them, or layers that declare role and depth"
            )
        for weight in found:
            if not weight.role.depth:
                raise SchemeError(
                    f"{truncate(weight.name)} is {weight.role.name} of no block: state its depth,"
                    " from 1"
                )
        return found

    def width(self, scheme: str) -> int:
        """Return the features of the residual stream.

        Raises:
            SchemeError: It is unknown, or there are several.
        """
        widths = {w.fan_out for w in self.weights if w.role.name in RESIDUAL}
        if len(widths) != 1:
            raise SchemeError(
                f"{scheme} needs the width of the residual stream, the outputs of weights whose"
                f" role is out or ffn_out, and they have {len(widths)}: make one stack a recipe"
            )
        return widths.pop()


def module_of(branch: Iterable[Placed]) -> str:
    """Return the prefix of names in the innermost module around a whole branch."""
    levels = zip(*(_around(weight.name) for weight in branch), strict=False)
    return "".join(level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels))


def block_of(block: Iterable[Branch]) -> str:
    """Return the prefix of names in a block: up to the last number, if there is one.

    >>> names = ["encoder.block.0.layer.0.q.weight", "encoder.block.0.layer.1.wo.weight"]
    >>> block_of([[Placed(name, Role("out"), 4, 4, own=...)] for name in names])
    'encoder.block.0.'
    """
    module = module_of(weight for branch in block for weight in branch)
    numbered = re.match(r".*\b\d+[./]", module)
    return numbered[0] if numbered else module


def _modules(name: str) -> list[str]:
    """Split a name into its modules, with separators and without the parameter."""
    return re.findall(r"[^./]*[./]", name)


def _around(name: str) -> list[str]:
    """Remove the layer too, unless its module has several matrices: in_proj_weight."""
    modules = _modules(name)
    return modules if "_" in re.split(r"[./]", name)[-1] else modules[:-1]
