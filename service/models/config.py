"""What every model family is: a Hugging Face config.json, of which it reads what makes tensors."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from service.model_schemes.role import Role
from service.schemes import Normal, Ones, Scheme, Zeros
from service.weight import Weight, tensor

Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A size or a number of layers."""

VECTOR = Role("vector")


class Config(BaseModel):
    """A config.json: fields that make tensors are checked, all others pass.

    A subclass is a family: its docstring's first line says which models it makes.
    """

    model_config = ConfigDict(
        extra="ignore", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=()
    )

    model_types: ClassVar[tuple[str, ...]]
    source: ClassVar[str]

    model_type: str
    architectures: Annotated[tuple[str, ...], Field(strict=False)] | None = None

    def weights(self) -> Iterator[Weight]:
        """Return the tensors of the file that the architecture's ``save_pretrained`` writes.

        Raises:
            ModelError: The architecture is unknown, or sizes contradict each other.
        """
        raise NotImplementedError
