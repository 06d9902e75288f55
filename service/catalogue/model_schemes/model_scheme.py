"""The base of schemes over models: from the roles of weights to their inits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Protocol

from service.catalogue.model_schemes.role import Whole
from service.catalogue.schemes import Ones, Scheme, Zeros


class Extra(NamedTuple):
    """A tensor that the scheme adds to the architecture.

    Args:
        name: Its name in the file.
        shape: Its dimensions.
        init: Its init.
    """

    name: str
    shape: tuple[int, ...]
    init: Scheme


def layer_norm(name: str, size: int) -> tuple[Extra, Extra]:
    """Return a LayerNorm: its scales 1, its biases 0."""
    return Extra(f"{name}.weight", (size,), Ones()), Extra(f"{name}.bias", (size,), Zeros())


@dataclass(frozen=True, slots=True)
class Arranged:
    """The result of a scheme for a model.

    Args:
        inits: The init of each of the model's weights, in their order.
        extras: Tensors that the scheme adds.
        forward: Constants that the forward pass needs, by name.
    """

    inits: Sequence[Scheme]
    extras: Sequence[Extra] = ()
    forward: Mapping[str, float] = field(default_factory=dict)


class ModelScheme(Protocol):
    """A frozen dataclass whose fields are the scheme's parameters, with their defaults.

    Its docstring's first line describes it, ``formula`` is its rule, ``source`` the publication.
    """

    formula: ClassVar[str]
    source: ClassVar[str]

    @property
    def scheme(self) -> str:
        """The scheme's name in a recipe."""

    def arrange(self, whole: Whole) -> Arranged:
        """Return the inits, extra tensors and constants for a model.

        Raises:
            SchemeError: It is not defined for such a model.
        """
