"""Building blocks of the families: linear layers, norms, tables, and roles inside a block."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from service.catalogue.model_schemes.role import Role, RoleName, StackName
from service.catalogue.schemes import Normal, Ones, Scheme, Zeros
from service.catalogue.weight import Weight, parts, tensor

ZEROS, ONES = Zeros(), Ones()
VECTOR = Role("vector")


class Block(NamedTuple):
    """A block of a stack; every residual branch ends with one layer after one or more others.

    Args:
        depth: Its number, from 1.
        stack: Its stack.
        heads: Number of attention heads.

    >>> Block(3, "encoder", heads=4).role("out")
    Role(name='out', depth=3, stack='encoder', place=2, of=2, heads=4)
    """

    depth: int
    stack: StackName
    heads: int = 0

    def role(self, name: RoleName) -> Role:
        """Return the role of a layer of one of its branches."""
        place = 2 if name in ("out", "ffn_out") else 1
        return Role(name, self.depth, self.stack, place, 2, self.heads if name == "out" else 0)


def blocks(layers: int, stack: StackName, heads: int) -> Iterator[tuple[int, Block]]:
    """Yield each layer's index and block."""
    for index in range(layers):
        yield index, Block(index + 1, stack, heads)


def vector(name: str, size: int, init: Scheme = ZEROS) -> Weight:
    """Return a bias, or a norm's scale."""
    return Weight(tensor(name, (size,), init), (VECTOR,))


def normal(name: str, shape: Sequence[int], std: float, role: Role) -> Weight:
    """Return a tensor of normal values."""
    return Weight(tensor(name, shape, Normal(std=std)), (role,))


def linear(
    name: str, shape: Sequence[int], std: float, role: Role, *, bias: bool = True
) -> Iterator[Weight]:
    """Yield a linear layer's or a convolution's tensors; its bias is zero.

    Args:
        name: Name of the layer.
        shape: Outputs, inputs, and a convolution's kernel.
        std: Standard deviation of its weights.
        role: Role of its weights.
        bias: Whether it has a bias.
    """
    yield normal(f"{name}.weight", shape, std, role)
    if bias:
        yield vector(f"{name}.bias", shape[0])


def norm(name: str, size: int, *, bias: bool = True) -> Iterator[Weight]:
    """Yield a LayerNorm's tensors, or an RMSNorm's, which has no bias."""
    yield vector(f"{name}.weight", size, ONES)
    if bias:
        yield vector(f"{name}.bias", size)


def embedding(
    name: str, shape: tuple[int, int], std: float, role: Role, *, padding: int | None = None
) -> Weight:
    """Return an embedding table whose padding row, if any, is zero.

    Args:
        name: Name of the tensor.
        shape: Rows and width.
        std: Standard deviation of its values.
        role: Role of all rows except the padding row.
        padding: The zero row; negative from the end; None for none.
    """
    if padding is None:
        return normal(name, shape, std, role)
    law, row = Normal(std=std), padding % shape[0]
    rows: list[tuple[int, Scheme, Role]] = [
        (row, law, role),
        (1, ZEROS, VECTOR),
        (shape[0] - row - 1, law, role),
    ]
    cut = [part for part in rows if part[0]]
    of = parts(0, [(size, init) for size, init, _ in cut])
    return Weight(tensor(name, shape, None, parts=of), tuple(own for _, _, own in cut))
