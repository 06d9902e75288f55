"""Frameworks: every initializer by the name that its own users write, with its exact object.

One framework a file, and this table. An alias is replaced by its object, so it names no new law and
reaches no recipe id. Fans follow from the layout, which no alias can state: kernels of a framework
need one of its ``layouts``, or PyTorch's rule silently swaps their fans.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from service.catalogue.schemes.frameworks import (
    burn,
    caffe,
    candle,
    djl,
    flax,
    flux,
    jax,
    keras,
    mlx,
    mxnet,
    paddle,
    tf1,
    torch,
)

FrameworkName = Literal[
    "torch",
    "keras",
    "jax",
    "flax",
    "tf1",
    "caffe",
    "mxnet",
    "paddle",
    "flux",
    "candle",
    "burn",
    "djl",
    "mlx",
]


@dataclass(frozen=True, slots=True)
class Framework:
    """What one framework calls its initializers, and how its kernels lie.

    Args:
        title: Its name, and the release whose source the objects follow.
        names: The object of each name, with that framework's default parameters.
        unmapped: Names without a default object: why, and the object to write.
        notes: By name, what differs from that framework, or what to state beside the object.
        layouts: Letters of its kernels as it stores them: of matrices, then of convolutions.
    """

    title: str
    names: dict[str, dict[str, Any]]
    unmapped: dict[str, str]
    notes: dict[str, str]
    layouts: tuple[str, ...]


def _framework(module: ModuleType) -> Framework:
    return Framework(module.TITLE, module.NAMES, module.UNMAPPED, module.NOTES, module.LAYOUTS)


FRAMEWORKS: dict[str, Framework] = {
    "torch": _framework(torch),
    "keras": _framework(keras),
    "jax": _framework(jax),
    "flax": _framework(flax),
    "tf1": _framework(tf1),
    "caffe": _framework(caffe),
    "mxnet": _framework(mxnet),
    "paddle": _framework(paddle),
    "flux": _framework(flux),
    "candle": _framework(candle),
    "burn": _framework(burn),
    "djl": _framework(djl),
    "mlx": _framework(mlx),
}
"""Every framework by the name of its file."""

FRAMEWORK_ALIASES: dict[str, dict[str, Any]] = {
    name: init for framework in FRAMEWORKS.values() for name, init in framework.names.items()
}
"""Every framework's names, with the objects that they stand for."""

UNMAPPED: dict[str, str] = {
    name: why for framework in FRAMEWORKS.values() for name, why in framework.unmapped.items()
}
"""Names that stand for no object, with the reason and the object to write."""
