"""What a scheme over a whole model is: from a weight's role and the model around it to its init."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Protocol

from service.model_schemes.role import Placed, Whole
from service.schemes import Scheme


class Extra(NamedTuple):
    """A tensor that the architecture lacks and the scheme needs.

    Args:
        name: In the file.
        shape: Its dimensions.
        init: Its init.
    """

    name: str
    shape: tuple[int, ...]
    init: Scheme


class ModelScheme(Protocol):
    """A frozen dataclass whose fields are the scheme's parameters, with their defaults.

    Its docstring's first line says what it is, ``formula`` the rule and ``source`` who gave it.
    """

    formula: ClassVar[str]
    source: ClassVar[str]

    @property
    def scheme(self) -> str:
        """The scheme's name in a recipe."""

    def init(self, weight: Placed, own: Scheme, whole: Whole) -> Scheme:
        """Return a weight's init.

        Args:
            weight: The weight, or the part of a packed one.
            own: What the model's architecture, or the layer, would have it.
            whole: The model around it.

        Raises:
            SchemeError: The scheme is not defined for such a model.
        """

    def extras(self, whole: Whole) -> Sequence[Extra]:
        """Return the tensors that the scheme adds."""

    def forward(self, whole: Whole) -> dict[str, float]:
        """Return the constants that the forward pass needs, by name."""
