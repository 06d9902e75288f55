"""The base of model families: a Hugging Face config.json; only fields for tensors are read."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from service.catalogue.weight import Weight
from service.errors import ModelError, Problem, truncate

Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A size."""

Layers = Annotated[int, Field(ge=0, le=10_000)]
"""A number of layers; without a limit, a typing error could take hours to plan."""

Std = Annotated[float, Field(ge=0)]
"""A standard deviation, or a factor on one."""


def _pair(value: Any) -> Any:
    sides = (value, value) if type(value) is int else value
    is_pair = isinstance(sides, list | tuple) and len(sides) == 2
    if not is_pair or not all(type(side) is int and 1 <= side < 2**31 for side in sides):
        raise PydanticCustomError("pair", "must be an integer from 1, or [height, width] of two")
    return tuple(sides)


Pair = Annotated[
    tuple[Count, Count],
    BeforeValidator(_pair, json_schema_input_type=Count | tuple[Count, Count]),
]
"""Height and width: one number for both, or a list."""

Piece = Callable[[Any, str], Iterator[Weight]]
"""A method of a family: from the prefix of its body's names to some of its tensors."""


class Architecture(NamedTuple):
    """The tensors that a class of transformers saves.

    Args:
        prefix: Prefix of the names of its body.
        pieces: Methods of its family that yield its tensors.
    """

    prefix: str
    pieces: Sequence[Piece]


class Config(BaseModel):
    """A config.json: fields that determine tensors are validated, others are ignored.

    A subclass is a family. The first line of its docstring says which models it covers.
    """

    model_config = ConfigDict(
        extra="ignore", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=()
    )

    model_types: ClassVar[tuple[str, ...]]
    source: ClassVar[str]
    known: ClassVar[dict[str, Architecture]]
    """Architectures by the name of their class; the first is the default."""
    heads_make_shapes: ClassVar[bool] = True
    """Whether the shapes depend on the number of heads."""

    model_type: str
    architectures: Annotated[tuple[str, ...], Field(strict=False)] | None = None

    _keys: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _record_keys(
        cls, config: dict[str, Any], validate: ModelWrapValidatorHandler[Self]
    ) -> Self:
        """Record the fields that the document has under another name."""
        model = validate(config)
        for name in cls.model_fields:
            used = [key for key in aliases_of(cls, name) if key in config]
            model._keys[name] = used[0] if used else name  # noqa: SLF001
        return model

    @property
    def architecture(self) -> str:
        """The class whose checkpoint is planned."""
        return (self.architectures or tuple(self.known))[0]

    def contradictions(self) -> Iterator[Problem]:
        """Yield errors about fields that contradict each other."""
        yield from ()

    def weights(self, *, as_base: bool = False) -> Iterator[Weight]:
        """Return the tensors of the file that the architecture's ``save_pretrained`` writes.

        Args:
            as_base: Only dimensions matter: the base model of muP, which is never run.

        Raises:
            ModelError: The architecture is unknown, or sizes contradict each other.
        """
        if self.architecture not in self.known:
            detail = (
                f"{self.model_type} has no architecture {truncate(self.architecture)}; known are "
            )
            raise ModelError([Problem("/architectures/0", detail + ", ".join(self.known))])
        counts = self.heads_make_shapes or not as_base
        if counts and (problems := list(self.contradictions())):
            raise ModelError(problems)
        prefix, pieces = self.known[self.architecture]
        for piece in pieces:
            yield from piece(self, prefix)

    def not_divided(self, size_field: str, parts_field: str) -> Iterator[Problem]:
        """Yield an error if the second field does not divide the first."""
        size, parts = getattr(self, size_field), getattr(self, parts_field)
        if size % parts:
            detail = f"{parts} does not divide {self.key_of(size_field)}, {size}"
            yield self.problem(parts_field, detail)

    def problem(self, field: str, detail: str) -> Problem:
        """Return an error about a field, at its key in the document."""
        return Problem(f"/{self.key_of(field)}", detail)

    def key_of(self, field: str) -> str:
        """Return the document's key for a field."""
        return self._keys.get(field, field)


def aliases_of(family: type[Config], field: str) -> list[str]:
    """Return a field's other names, which take precedence over its own, in this order."""
    alias = family.model_fields[field].validation_alias
    names = alias.choices if isinstance(alias, AliasChoices) else []
    return [name for name in names if isinstance(name, str) and name != field]


class Padded(Config):
    """A family whose token table has a zero row at ``pad_token_id``."""

    vocab_size: Count
    pad_token_id: int | None = None

    def contradictions(self) -> Iterator[Problem]:
        """Yield errors about fields that contradict each other."""
        pad, size = self.pad_token_id, self.vocab_size
        if pad is not None and not -size <= pad < size:
            detail = (
                f"{truncate(pad)} is not a row of vocab_size, {size}: at most {size - 1}, or null"
            )
            yield Problem("/pad_token_id", detail)


class Labelled(Config):
    """A family with classifiers of ``num_labels``, else ``id2label``'s size, else 2 classes."""

    num_labels: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    id2label: dict[Any, Any] | None = None

    @property
    def labels(self) -> int:
        """The number of classes of a classifier."""
        if self.num_labels is not None:
            return self.num_labels
        return 2 if self.id2label is None else len(self.id2label)
