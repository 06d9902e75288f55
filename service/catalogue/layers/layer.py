"""The base of layers: a few sizes that, with a convention, expand to named tensors."""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from service.catalogue.layers.defaults import ZEROS
from service.catalogue.layers.form import Convention, Kind, Parameter, StoredTensor
from service.catalogue.model_schemes.role import Role, RoleName, StackName
from service.catalogue.schemes import Chrono, Constant, LstmForget, Ones, Scheme, Zeros
from service.catalogue.tensor import Dimension, FloatDType, Init, Part, Parts, Strict, Tensor
from service.catalogue.weight import Weight, stated_fan, tensor
from service.errors import LayerError
from service.numerics.fans import Fans

SEPARATORS: dict[Convention, str] = {"pytorch": ".", "keras": "/", "flax": ".", "caffe": "/"}
"""The separator between a layer's name and its parameter's."""

Size = Annotated[int, Field(ge=1, le=2**53 - 1)]

_BRANCHES = {"query": 1, "key": 1, "value": 1, "out": 2, "ffn_in": 1, "ffn_out": 2}
"""The place of a role in its residual branch of two layers."""

_FIX_BIAS = 'state "bias_init": "zeros" or "bias": false'
_FIX_CONVENTION = "leave draw_convention out"


class _Piece(NamedTuple):
    """A stretch of an axis with an init, its fans if they differ, and a role."""

    size: int
    init: Scheme
    fan: Fans | None
    role: Role


class Layer(Strict, ABC):
    """A layer of a recipe.

    A subclass has ``type``, its sizes and `parameters`. Its docstring's first line describes it,
    ``source`` names the frameworks that have it, and ``example`` has its sizes in an example.
    """

    source: ClassVar[str]
    example: ClassVar[dict[str, Any]]

    name: str = Field(description="prefix of its tensors' names")
    init: Init | None = Field(None, description="for its weights; default: the convention's")
    bias_init: Init | None = Field(None, description="for its biases; default: the convention's")
    dtype: FloatDType | None = Field(None, description="default: the recipe's")
    role: RoleName | None = Field(None, description="its role for model_scheme")
    depth: Dimension = Field(0, description="its block, from 1, for model_scheme; 0 is no block")
    stack: StackName = Field("decoder", description="the stack of its block")
    branch: tuple[Size, Size] | None = Field(
        None, description="[place, of] in its residual branch; default: by role, of 2"
    )

    @abstractmethod
    def parameters(self) -> Iterable[Parameter]:
        """Return its parameters, in every convention that has them; the first is in each.

        Raises:
            LayerError: Its sizes contradict each other.
        """

    def weights(
        self, convention: Convention, draw_convention: Convention | None, init: Scheme | None
    ) -> Iterator[Weight]:
        """Yield its tensors.

        Args:
            convention: The convention of their names, layouts and default inits.
            draw_convention: The convention in which they are drawn; None for ``convention``.
            init: The init of weights whose layer states none.

        Raises:
            LayerError: A convention does not have this layer, or the tensors of ``convention``
                are not blocks of those that are drawn.
        """
        parameters = list(self.parameters())
        drawn_in = draw_convention or convention
        _check_conventions(parameters, convention, drawn_in)
        self._check_inits({p.kind for p in parameters if {convention, drawn_in} & p.tensors.keys()})
        for parameter in parameters:
            inits = {"weight": self.init or init, "slope": self.init, "bias": self.bias_init}
            override = inits.get(parameter.kind)
            for stored in parameter.tensors.get(convention, ()):
                if drawn_in == convention or parameter.kind == "buffer":
                    yield Weight(*self._own_tensor(parameter, stored, convention, override))
                else:
                    yield self._view(parameter, stored, (convention, drawn_in), override)
            _check_nothing_lost(parameter, convention, drawn_in, override)

    def role_of(self, name: RoleName) -> Role:
        """Return the role of a weight of this layer."""
        place, of = self.branch or ((_BRANCHES[name], 2) if name in _BRANCHES else (0, 0))
        return Role(name, self.depth, self.stack, *((place, of) if self.depth else ()))

    def _check_inits(self, kinds: Collection[Kind]) -> None:
        if self.init is not None and not {"weight", "slope"} & set(kinds):
            raise LayerError(
                "the layer has no weights for init to set: use a rule to set its other tensors"
            )
        if self.bias_init is not None and "bias" not in kinds:
            raise LayerError(
                "the layer has no biases for bias_init to set: use a rule to set its other tensors"
            )
        if self.branch is not None and self.branch[0] > self.branch[1]:
            raise LayerError(f"branch is [place, of] with place <= of, not {list(self.branch)}")

    def _name(self, stored: StoredTensor, convention: Convention) -> str:
        return self.name + SEPARATORS[convention] + stored.name

    def _own_tensor(
        self,
        parameter: Parameter,
        stored: StoredTensor,
        convention: Convention,
        override: Scheme | None,
    ) -> tuple[Tensor, tuple[Role, ...]]:
        """Return a tensor that is drawn in its own convention, and its roles."""
        _check_gates(parameter, stored, override)
        axis, pieces = self._pieces(parameter, stored, override)
        is_whole = len(pieces) == 1 and pieces[0].fan is None
        made = tensor(
            self._name(stored, convention),
            parameter.shape(stored),
            pieces[0].init if is_whole else None,
            layout=parameter.layout(stored),
            fan=parameter.fans,
            dtype=stored.dtype or self.dtype,
            parts=None if is_whole else _parts(axis, pieces),
        )
        return made, () if parameter.kind == "buffer" else tuple(piece.role for piece in pieces)

    def _pieces(
        self, parameter: Parameter, stored: StoredTensor, override: Scheme | None
    ) -> tuple[int, list[_Piece]]:
        """Return the axis along which a tensor is cut, and its parts, at least one."""
        init = override or stored.init
        fan = None if override or stored.fan == parameter.fans else stored.fan
        roles = self._roles(parameter, stored)
        shape = parameter.shape(stored)
        if parameter.zero_row is not None:
            zero_role = Role("vector", self.depth, self.stack)
            row, rows = parameter.zero_row, shape[0]
            cut = [(row, init, roles[0]), (1, ZEROS, zero_role), (rows - row - 1, init, roles[0])]
            return 0, [_Piece(size, law, fan, role) for size, law, role in cut if size]
        gates = parameter.sizes["G"] if "G" in parameter.axes(stored) else 1
        if parameter.kind == "weight" and gates > 1 and (override or len(roles) > 1):
            axis = next(a for a, group in enumerate(stored.groups) if group[0] == "G")
            roles = roles if len(roles) > 1 else roles * gates
            return axis, [_Piece(shape[axis] // gates, init, fan, role) for role in roles]
        return 0, [_Piece(shape[0] if shape else 1, init, fan, roles[0])]

    def _roles(self, parameter: Parameter, stored: StoredTensor) -> list[Role]:
        """Return the role of a tensor, or the roles of its projections."""
        if parameter.kind != "weight":
            return [Role("vector", self.depth, self.stack)]
        names = parameter.roles or (self.role or "hidden",)
        if len(names) > 1 and "G" in stored.at:
            names = names[stored.at["G"] :][:1]
        return [self.role_of(name) for name in names]

    def _view(
        self,
        parameter: Parameter,
        stored: StoredTensor,
        conventions: tuple[Convention, Convention],
        override: Scheme | None,
    ) -> Weight:
        """Return a tensor of one convention as a view of a tensor of another."""
        convention, drawn_in = conventions
        others = parameter.overlapping(stored, drawn_in)
        if len(others) == 1 and parameter.is_within(stored, others[0]):
            made, roles = self._own_tensor(parameter, others[0], drawn_in, override)
            bare = tensor(
                self._name(stored, convention), parameter.shape(stored), None, dtype=self.dtype
            )
            return Weight(bare, roles, parameter.view(stored, others[0], made))
        inits = {override or other.init for other in others}
        if not inits and parameter.kind in ("bias", "norm"):
            # The drawn network has no such tensor: it gets the value that has no effect.
            inits = {ZEROS if parameter.kind == "bias" else stored.init}
        if len(inits) == 1 and isinstance(init := inits.pop(), Zeros | Ones | Constant):
            return Weight(*self._own_tensor(parameter, stored, convention, init))
        raise LayerError(_no_view(parameter, stored, others, conventions))


def _check_conventions(parameters: Sequence[Parameter], *conventions: Convention) -> None:
    for convention in conventions:
        if parameters and convention not in parameters[0].tensors:
            having = ", ".join(c for c in SEPARATORS if c in parameters[0].tensors)
            raise LayerError(f"{convention} has no such layer; these have it: {having}")


def _parts(axis: int, pieces: Iterable[_Piece]) -> Parts:
    """Return pieces as a recipe states them."""
    given: list[dict[str, Any]] = [
        {
            "size": piece.size,
            "init": piece.init,
            "fan": stated_fan(piece.fan) if piece.fan else None,
        }
        for piece in pieces
    ]
    return Parts.model_construct(axis=axis, of=tuple(Part.model_construct(**g) for g in given))


def _no_view(
    parameter: Parameter,
    stored: StoredTensor,
    others: Sequence[StoredTensor],
    conventions: tuple[Convention, Convention],
) -> str:
    """Return why a tensor is not a view of a drawn one, and how to fix it."""
    convention, drawn_in = conventions
    if not others:
        return f"{drawn_in} has no tensor for {convention}'s {stored.name}: {_FIX_CONVENTION}"
    names = ", ".join(other.name for other in others)
    fix = (
        _FIX_BIAS if parameter.kind == "bias" else f"{_FIX_CONVENTION}, or swap it with convention"
    )
    return (
        f"{convention}'s {stored.name} holds several tensors of {drawn_in} ({names}), but it can"
        f" only be a block of one: {fix}"
    )


def _check_nothing_lost(
    parameter: Parameter, convention: Convention, drawn_in: Convention, override: Scheme | None
) -> None:
    """Raise if a part of the drawn network is not in the file."""
    if convention == drawn_in or parameter.kind in ("norm", "buffer"):
        return
    sources = parameter.tensors.get(drawn_in, ())
    inits = {override or source.init for source in sources}
    is_zero = parameter.kind == "bias" and inits <= {ZEROS}
    if parameter.elements(convention) < parameter.elements(drawn_in) and not is_zero:
        fix = _FIX_BIAS if parameter.kind == "bias" else _FIX_CONVENTION
        raise LayerError(
            f"not all of {drawn_in}'s {sources[-1].name} has a place in {convention}: {fix}"
        )


def _check_gates(parameter: Parameter, stored: StoredTensor, override: Scheme | None) -> None:
    """Raise if an init for packed gates does not fit the gates of a tensor."""
    if isinstance(override, LstmForget | Chrono) and "G" in parameter.sizes:
        packed = math.prod(parameter.sizes[axis] for axis in "G" if axis in parameter.axes(stored))
        if packed != len(override.gates):
            raise LayerError(
                f"{override.scheme} sets {len(override.gates)} gates in one tensor, but"
                f" {stored.name} has {packed}: use a rule for the tensor of each gate"
            )
