"""Logarithms of uniform numbers on a forget gate, their negatives on the input gate: chrono's law.

Source: docs/generator-v1.md, "Chrono". Tallec & Ollivier 2018, eq. 16:
    https://arxiv.org/abs/1804.11188
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from service.numerics.array import Array
from service.numerics.draws import Draws
from service.numerics.exact import log_uniform
from service.numerics.fans import Geometry
from service.numerics.philox import words_at
from service.numerics.positions import numbers


@dataclass(frozen=True, slots=True)
class Chrono:
    """``ln U(1, t_max - 1)`` on the forget gate, its negative on the input gate, zero elsewhere.

    Args:
        t_max: The longest range of dependencies, in steps.
        units: Elements of a gate.
        forget: Index of the forget gate in the vector.
        input_gate: Index of the input gate.
        geometry: The block and its full tensor, a vector of gates.
    """

    name: ClassVar[str] = "chrono"
    t_max: float
    units: int
    forget: int
    input_gate: int
    geometry: Geometry

    @property
    def demands(self) -> dict[str, int]:
        """Every element is a logarithm, computed in many digits."""
        return {"max_chrono_elements": self.units}

    @property
    def parameters(self) -> tuple[float, ...]:
        """t_max, units, gates, then the part: axis, start and its dimensions."""
        own = (self.units, self.forget, self.input_gate, *self.geometry.place)
        return self.t_max, *map(float, own)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation over the vector."""
        top, width = math.log(self.t_max - 1.0), self.t_max - 2.0
        mean, square = width / 2 - width**2 / 6, width**2 / 3 - width**3 / 4
        if width > 1e-3:  # below this, the closed forms cancel
            mean = ((self.t_max - 1.0) * (top - 1.0) + 1.0) / width
            square = ((self.t_max - 1.0) * (top * top - 2.0 * top + 2.0) - 2.0) / width
        share = self.units / self.geometry.part_shape[-1] if self.units else 0.0
        return (0.0 if share <= 0.5 else mean), math.sqrt(2.0 * share * square)

    @property
    def extremes(self) -> tuple[float, float]:
        """Plus and minus ln(t_max - 1)."""
        top = math.log(self.t_max - 1.0) * (1.0 + 2.0**-40)
        return -top, top

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""
        xp = draws.xp
        make = partial(self._logarithms, draws)
        made = draws.workspace.memo.get(draws.stream, self, make)
        at = self.geometry.coordinates(draws.index)[-1].astype("int64")
        gate, unit = at // self.units, at % self.units
        sign = xp.where(gate == self.forget, 1.0, xp.where(gate == self.input_gate, -1.0, 0.0))
        return sign * made[unit] + 0.0  # the other gates' zeros are +0

    def _logarithms(self, draws: Draws) -> Array:
        start = self.forget * self.units
        places = numbers(draws.xp, self.geometry, [0])[start : start + self.units]
        words = words_at(draws.xp, draws.stream, places)
        return draws.xp.asarray(log_uniform(words.tolist(), self.t_max))
