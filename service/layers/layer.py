"""What every layer is: a few sizes that, with a convention, give named tensors."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from service.errors import LayerError
from service.layers.form import Convention, Held, Parameter
from service.model_schemes.role import Role, RoleName, StackName
from service.schemes import Constant, Ones, Scheme, Zeros
from service.tensor import Dimension, FloatDType, Init, Parts, Strict, Tensor
from service.weight import Source, Weight, parts, stated, tensor

SEPARATORS: dict[Convention, str] = {"pytorch": ".", "flax": ".", "keras": "/", "caffe": "/"}
"""What stands between a layer's name and its parameter's."""

Size = Annotated[int, Field(ge=1, le=2**53 - 1)]


class Layer(Strict):
    """A layer of a recipe.

    A subclass has ``type``, its sizes and `parameters`; its docstring's first line says what it is.
    """

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/nn.html"

    name: str = Field(description="what its tensors' names begin with")
    init: Init | None = Field(None, description="of its weights; default: the convention's")
    bias_init: Init | None = Field(None, description="of its biases; default: the convention's")
    dtype: FloatDType | None = Field(None, description="default: the recipe's")
    role: RoleName | None = Field(None, description="what model_scheme takes it for")
    depth: Dimension = Field(0, description="its block, from 1, for model_scheme; 0: in none")
    stack: StackName = Field("decoder", description="which stack its block is in")

    def parameters(self) -> Iterable[Parameter]:
        """Return its parameters, in every convention that has them."""
        raise NotImplementedError

    def weights(
        self, convention: Convention, drawn: Convention | None, init: Scheme | None
    ) -> Iterator[Weight]:
        """Return its tensors.

        Args:
            convention: Whose names, layouts and default inits they have.
            drawn: The convention whose tensors' draws they hold, if another.
            init: Of weights that name none.

        Raises:
            LayerError: A convention does not have this layer, or not in a form that the other's
                draws could fill.
        """
        for parameter in self.parameters():
            own = {"weight": self.init or init, "bias": self.bias_init}.get(parameter.kind)
            for held in self._held(parameter, convention):
                made = self._tensor(parameter, held, convention, own)
                source = None
                if drawn is not None and drawn != convention:
                    source = self._source(parameter, held, drawn, own)
                parts_of = (source.tensor if source else made).parts
                roles = (self._role(parameter),) * (len(parts_of.of) if parts_of else 1)
                yield Weight(made, roles if parameter.kind != "buffer" else (), source)
            if drawn is not None and drawn != convention:
                self._require_home(parameter, convention, drawn, own)

    def _held(self, parameter: Parameter, convention: Convention) -> Sequence[Held]:
        return parameter.held.get(convention, ())

    def _tensor(
        self, parameter: Parameter, held: Held, convention: Convention, own: Scheme | None
    ) -> Tensor:
        shape, layout = parameter.shape(held), parameter.layout(held)
        if own is not None:
            pieces = _packed(parameter, held, own)
        else:
            pieces = None
        return tensor(
            self.name + SEPARATORS[convention] + held.name,
            shape,
            own or held.init,
            layout=layout,
            fan=held.fan if own is None or parameter.kind == "bias" else None,
            dtype=held.dtype or self.dtype,
            parts=pieces,
        )

    def _role(self, parameter: Parameter) -> Role:
        name = self.role if parameter.kind == "weight" and self.role else None
        vector = "vector" if parameter.kind != "weight" else "hidden"
        return Role(name or vector, self.depth, self.stack)  # type: ignore[arg-type]

    def _source(
        self, parameter: Parameter, held: Held, drawn: Convention, own: Scheme | None
    ) -> Source | None:
        """Return where one convention's tensor is drawn in another's."""
        if _is_constant(own or held.init) and not parameter.held.get(drawn):
            return None
        for other in self._held(parameter, drawn):
            if all(held.at.get(axis) == at for axis, at in other.at.items()):
                return _view(parameter, held, other, self._tensor(parameter, other, drawn, own))
        raise LayerError(
            f"{self.name}: {drawn} has no one tensor whose draws could be {held.name}: draw in"
            " this convention, or state tensors with draw"
        )

    def _require_home(
        self, parameter: Parameter, convention: Convention, drawn: Convention, own: Scheme | None
    ) -> None:
        """Refuse to lose what the other convention would add to the network."""
        if parameter.held.get(convention):
            return
        lost = [held for held in self._held(parameter, drawn) if not _is_constant(own or held.init)]
        if lost:
            raise LayerError(
                f"{self.name}: {drawn}'s {lost[0].name} has no place in {convention}:"
                ' state "bias_init": "zeros", so that nothing is lost'
            )


def _is_constant(init: Scheme) -> bool:
    return isinstance(init, Zeros | Ones | Constant)


def _packed(parameter: Parameter, held: Held, own: Scheme) -> Parts | None:
    """Return a part for each of the parameters that stand side by side, each with its own fans."""
    for axis, group in enumerate(held.groups):
        if len(group) > 1 and group[0] in parameter.packs:
            count = parameter.sizes[group[0]]
            size = parameter.shape(held)[axis] // count
            return parts(axis, [(size, own)] * count)
    return None


def _view(parameter: Parameter, held: Held, other: Held, drawn: Tensor) -> Source:
    """Return which block of ``other`` ``held`` is, and in which order."""
    axes = other.axes

    def place(axis: str, at: int) -> int:
        moved = other.shuffle is not None and other.shuffle[0] == axis
        return other.shuffle[1].index(at) if moved and other.shuffle else at

    block = [(0, parameter.sizes[axis]) for axis in axes]
    for axis, at in held.at.items():
        if axis in axes:
            block[axes.index(axis)] = (place(axis, at), place(axis, at) + 1)
    left_out = [axis for axis in axes if axis in held.at]
    order = tuple(axes.index(axis) for axis in [*left_out, *held.axes])
    shuffle = None
    if held.shuffle != other.shuffle and not left_out:
        axis, gates = held.shuffle or other.shuffle or ("", ())
        gates = gates if held.shuffle else tuple(range(len(gates)))
        shuffle = axes.index(axis), tuple(place(axis, gate) for gate in gates)
    return Source(drawn, tuple(parameter.sizes[a] for a in axes), tuple(block), order, shuffle)
