"""Biases of gated recurrent layers: how long an untrained cell remembers.

Sources:
    Jozefowicz, Zaremba & Sutskever 2015, section 4.1 (forget bias 1):
        https://proceedings.mlr.press/v37/jozefowicz15.html
    Tallec & Ollivier 2018, eq. 16 (chrono): https://arxiv.org/abs/1804.11188
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Gt, Le
from pydantic import Field

from service.catalogue import distributions
from service.catalogue.schemes.scheme import Number
from service.errors import UnsuitableShape
from service.numerics.fans import Geometry

Gates = Annotated[str, Field(pattern="^[a-z]{1,8}$")]
"""A letter for each gate, in the order of the vector: f forgets, i lets the input in."""


def _units(gates: str, needed: str, geometry: Geometry) -> int:
    """Return the elements of a gate.

    Raises:
        UnsuitableShape: Not a vector of that many equal gates, or one of those needed is missing.
    """
    sizes = geometry.part_shape
    if any(gates.count(gate) != 1 for gate in needed):
        raise UnsuitableShape(f"gates {gates} need each of {', '.join(needed)} once")
    if len(sizes) != 1 or sizes[0] % len(gates):
        raise UnsuitableShape(
            f"a bias of the gates {gates} is a vector of {len(gates)} equal parts, and this shape"
            f" is {list(sizes)}"
        )
    return sizes[0] // len(gates)


@dataclass(frozen=True, slots=True)
class LstmForget:
    """``value`` on the forget gate of a packed bias, 0 on the others.

    Args:
        value: Value on the forget gate.
        gates: A letter for each gate, in the order of the vector; torch and Keras ifgo, Caffe ifog.
    """

    formula: ClassVar[str] = "b_f = value, other gates 0"
    source: ClassVar[str] = "https://proceedings.mlr.press/v37/jozefowicz15.html"
    value: Number = 1.0
    gates: Gates = "ifgo"
    scheme: Literal["lstm_forget"] = "lstm_forget"

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a packed bias.

        Raises:
            UnsuitableShape: Not a vector of that many equal gates.
        """
        units = _units(self.gates, "f", geometry)
        first = self.gates.index("f") * units
        return distributions.Window(self.value, first, first + units, geometry)


@dataclass(frozen=True, slots=True)
class Chrono:
    """``ln U(1, t_max - 1)`` on the forget gate, its negative on the input gate, 0 on the others.

    Args:
        t_max: The longest range of dependencies expected, in steps; above 2, at most 10^15.
        gates: A letter for each gate, in the order of the vector.
    """

    formula: ClassVar[str] = "b_f ~ ln U(1, t_max - 1), b_i = -b_f, other gates 0"
    source: ClassVar[str] = "https://arxiv.org/abs/1804.11188"
    t_max: Annotated[float, Gt(2), Le(1e15)]
    gates: Gates = "ifgo"
    scheme: Literal["chrono"] = "chrono"

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a packed bias.

        Raises:
            UnsuitableShape: Not a vector of that many equal gates.
        """
        units = _units(self.gates, "fi", geometry)
        forget, input_gate = self.gates.index("f"), self.gates.index("i")
        return distributions.Chrono(self.t_max, units, forget, input_gate, geometry)
