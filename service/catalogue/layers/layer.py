"""The base of layers: a few sizes that, with a convention, expand to named tensors."""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from service.catalogue.layers.defaults import ZEROS
from service.catalogue.layers.form import Convention, Held, Kind, Parameter
from service.catalogue.model_schemes.role import Role, RoleName, StackName
from service.catalogue.schemes import Chrono, Constant, LstmForget, Ones, Scheme, Zeros
from service.catalogue.tensor import Dimension, FloatDType, Init, Part, Parts, Strict, Tensor
from service.catalogue.weight import Weight, stated, tensor
from service.errors import LayerError
from service.numerics.fans import Fans

SEPARATORS: dict[Convention, str] = {"pytorch": ".", "keras": "/", "flax": ".", "caffe": "/"}
"""The separator between a layer's name and its parameter's."""

Size = Annotated[int, Field(ge=1, le=2**53 - 1)]

_BRANCHES = {"query": 1, "key": 1, "value": 1, "out": 2, "ffn_in": 1, "ffn_out": 2}
"""The place of a role in its residual branch of two layers."""

_NO_BIAS = 'state "bias_init": "zeros" or "bias": false'
_WITHOUT = "leave draw_convention out"


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
        self, convention: Convention, drawn: Convention | None, init: Scheme | None
    ) -> Iterator[Weight]:
        """Yield its tensors.

        Args:
            convention: Whose names, layouts and default inits they have.
            drawn: The convention whose tensors' draws they hold, if another.
            init: Of weights that name none.

        Raises:
            LayerError: A convention does not have this layer, or not in a form that the other's
                draws could fill.
        """
        parameters = list(self.parameters())
        there = drawn or convention
        _check_conventions(parameters, convention, there)
        self._check_inits({p.kind for p in parameters if {convention, there} & p.held.keys()})
        for parameter in parameters:
            inits = {"weight": self.init or init, "slope": self.init, "bias": self.bias_init}
            own = inits.get(parameter.kind)
            for held in parameter.held.get(convention, ()):
                if there == convention or parameter.kind == "buffer":
                    yield Weight(*self._made(parameter, held, convention, own))
                else:
                    yield self._drawn(parameter, held, (convention, there), own)
            _require_home(parameter, convention, there, own)

    def role_of(self, name: RoleName) -> Role:
        """Return the role of a weight of this layer."""
        place, of = self.branch or ((_BRANCHES[name], 2) if name in _BRANCHES else (0, 0))
        return Role(name, self.depth, self.stack, *((place, of) if self.depth else ()))

    def _check_inits(self, kinds: Collection[Kind]) -> None:
        if self.init is not None and not {"weight", "slope"} & set(kinds):
            raise LayerError("it has no weights for init to set: use a rule to set others")
        if self.bias_init is not None and "bias" not in kinds:
            raise LayerError("it has no biases for bias_init to set: use a rule to set others")
        if self.branch is not None and self.branch[0] > self.branch[1]:
            raise LayerError(f"branch is [place, of], and there is no place {list(self.branch)}")

    def _name(self, held: Held, convention: Convention) -> str:
        return self.name + SEPARATORS[convention] + held.name

    def _made(
        self, parameter: Parameter, held: Held, convention: Convention, own: Scheme | None
    ) -> tuple[Tensor, tuple[Role, ...]]:
        """Return a tensor of a convention as it draws it itself, and its roles."""
        _check_gates(parameter, held, own)
        axis, pieces = self._pieces(parameter, held, own)
        is_whole = len(pieces) == 1 and pieces[0].fan is None
        made = tensor(
            self._name(held, convention),
            parameter.shape(held),
            pieces[0].init if is_whole else None,
            layout=parameter.layout(held),
            fan=parameter.fans,
            dtype=held.dtype or self.dtype,
            parts=None if is_whole else _parts(axis, pieces),
        )
        return made, () if parameter.kind == "buffer" else tuple(piece.role for piece in pieces)

    def _pieces(
        self, parameter: Parameter, held: Held, own: Scheme | None
    ) -> tuple[int, list[_Piece]]:
        """Return an axis and its parts; there is at least one."""
        init = own or held.init
        fan = None if own or held.fan == parameter.fans else held.fan
        roles = self._roles(parameter, held)
        shape = parameter.shape(held)
        if parameter.zero_row is not None:
            nothing = Role("vector", self.depth, self.stack)
            row, rows = parameter.zero_row, shape[0]
            cut = [(row, init, roles[0]), (1, ZEROS, nothing), (rows - row - 1, init, roles[0])]
            return 0, [_Piece(size, law, fan, role) for size, law, role in cut if size]
        gates = parameter.sizes["G"] if "G" in parameter.axes(held) else 1
        if parameter.kind == "weight" and gates > 1 and (own or len(roles) > 1):
            axis = next(a for a, group in enumerate(held.groups) if group[0] == "G")
            roles = roles if len(roles) > 1 else roles * gates
            return axis, [_Piece(shape[axis] // gates, init, fan, role) for role in roles]
        return 0, [_Piece(shape[0] if shape else 1, init, fan, roles[0])]

    def _roles(self, parameter: Parameter, held: Held) -> list[Role]:
        """Return the role of all of a tensor, or of each of its projections."""
        if parameter.kind != "weight":
            return [Role("vector", self.depth, self.stack)]
        names = parameter.roles or (self.role or "hidden",)
        if len(names) > 1 and "G" in held.at:
            names = names[held.at["G"] :][:1]
        return [self.role_of(name) for name in names]

    def _drawn(
        self,
        parameter: Parameter,
        held: Held,
        conventions: tuple[Convention, Convention],
        own: Scheme | None,
    ) -> Weight:
        """Return a tensor of one convention that is drawn in another's."""
        convention, there = conventions
        others = parameter.overlapping(held, there)
        if len(others) == 1 and parameter.is_within(held, others[0]):
            made, roles = self._made(parameter, others[0], there, own)
            bare = tensor(
                self._name(held, convention), parameter.shape(held), None, dtype=self.dtype
            )
            return Weight(bare, roles, parameter.view(held, others[0], made))
        inits = {own or other.init for other in others}
        if not inits and parameter.kind in ("bias", "norm"):
            # What the drawn network lacks does nothing in this one.
            inits = {ZEROS if parameter.kind == "bias" else held.init}
        if len(inits) == 1 and isinstance(init := inits.pop(), Zeros | Ones | Constant):
            return Weight(*self._made(parameter, held, convention, init))
        raise LayerError(_scattered(parameter, held, others, conventions))


def _check_conventions(parameters: Sequence[Parameter], *conventions: Convention) -> None:
    for convention in conventions:
        if parameters and convention not in parameters[0].held:
            having = ", ".join(c for c in SEPARATORS if c in parameters[0].held)
            raise LayerError(f"{convention} has no such layer, only {having}")


def _parts(axis: int, pieces: Iterable[_Piece]) -> Parts:
    """Return pieces as a recipe states them."""
    given: list[dict[str, Any]] = [
        {"size": piece.size, "init": piece.init, "fan": stated(piece.fan) if piece.fan else None}
        for piece in pieces
    ]
    return Parts.model_construct(axis=axis, of=tuple(Part.model_construct(**g) for g in given))


def _scattered(
    parameter: Parameter,
    held: Held,
    others: Sequence[Held],
    conventions: tuple[Convention, Convention],
) -> str:
    """Return why a tensor has no source, and what to do."""
    convention, there = conventions
    if not others:
        return f"{there} has nothing that could fill {convention}'s {held.name}: {_WITHOUT}"
    names = ", ".join(other.name for other in others)
    way_out = _NO_BIAS if parameter.kind == "bias" else f"{_WITHOUT}, or turn it round"
    return (
        f"{convention}'s {held.name} would take the draws of several tensors of {there} ({names}),"
        f" and a draw is a block of one: {way_out}"
    )


def _require_home(
    parameter: Parameter, convention: Convention, there: Convention, own: Scheme | None
) -> None:
    """Refuse to lose what the drawn network has."""
    if convention == there or parameter.kind in ("norm", "buffer"):
        return
    drawn = parameter.held.get(there, ())
    is_nothing = parameter.kind == "bias" and {own or held.init for held in drawn} <= {ZEROS}
    if parameter.elements(convention) < parameter.elements(there) and not is_nothing:
        way_out = _NO_BIAS if parameter.kind == "bias" else _WITHOUT
        raise LayerError(
            f"not all of {there}'s {drawn[-1].name} has a place in {convention}: {way_out}"
        )


def _check_gates(parameter: Parameter, held: Held, own: Scheme | None) -> None:
    """Refuse an init of packed gates where they are others, or each a tensor."""
    if isinstance(own, LstmForget | Chrono) and "G" in parameter.sizes:
        packed = math.prod(parameter.sizes[axis] for axis in "G" if axis in parameter.axes(held))
        if packed != len(own.gates):
            raise LayerError(
                f"{own.scheme} sets {len(own.gates)} gates in one tensor, and {held.name} has"
                f" {packed}: use a rule for the tensor of the gate"
            )
