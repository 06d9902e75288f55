"""Orthogonal: a matrix that keeps the length of every vector, so of signals and gradients, too.

Sources:
    Saxe, McClelland & Ganguli 2013, section 3: https://arxiv.org/abs/1312.6120
    Xiao et al. 2018, algorithm 1 (delta orthogonal): https://arxiv.org/abs/1806.05393
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue import distributions
from service.catalogue.schemes.scheme import NamedGain, Positive, squared
from service.errors import UnsuitableShape
from service.numerics.fans import Geometry


def _gain(gain: float | NamedGain) -> float:
    return math.sqrt(squared(gain)) if isinstance(gain, str) else gain


@dataclass(frozen=True, slots=True)
class Orthogonal:
    """``gain`` times orthonormal rows, or columns where there are more rows, uniform among all.

    The rows are the output axes, the columns all others but batch axes.

    Args:
        gain: Factor on the matrix: a number, or the nonlinearity that follows.
    """

    formula: ClassVar[str] = "W W' = gain^2 I, or W' W = gain^2 I where there are more rows"
    source: ClassVar[str] = "https://arxiv.org/abs/1312.6120"
    gain: Positive | NamedGain = 1.0
    scheme: Literal["orthogonal"] = "orthogonal"

    @property
    def gain_squared(self) -> float:
        """The factor on the variance."""
        return squared(self.gain)

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a matrix, or for a kernel seen as one.

        Raises:
            UnsuitableShape: No axis of outputs, no other axis, or an empty axis.
        """
        _require_matrix(geometry)
        return distributions.Orthogonal(_gain(self.gain), geometry)


@dataclass(frozen=True, slots=True)
class DeltaOrthogonal:
    """``gain`` times orthonormal columns at a convolution's centre tap (k // 2), 0 elsewhere.

    Args:
        gain: Factor on the matrix: a number, or the nonlinearity that follows.
    """

    formula: ClassVar[str] = "W'W = gain^2 I at the centre tap, 0 elsewhere"
    source: ClassVar[str] = "https://arxiv.org/abs/1806.05393"
    gain: Positive | NamedGain = 1.0
    scheme: Literal["delta_orthogonal"] = "delta_orthogonal"

    @property
    def gain_squared(self) -> float:
        """The factor on the variance."""
        return squared(self.gain)

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a convolution's kernel.

        Raises:
            UnsuitableShape: Not three to five axes, or fewer outputs than inputs.
        """
        _require_matrix(geometry)
        if "I" not in geometry.letters:
            raise UnsuitableShape("delta_orthogonal needs an axis of inputs, I, in the layout")
        law = distributions.Orthogonal(_gain(self.gain), geometry, centre_only=True)
        rows, columns = law.matrix_shape
        if not 3 <= len(geometry.shape) <= 5:
            raise UnsuitableShape(
                f"delta_orthogonal needs 3 to 5 axes, and this tensor has {len(geometry.shape)}:"
                " use orthogonal for matrices"
            )
        if rows < columns:
            raise UnsuitableShape(
                f"delta_orthogonal needs at least as many outputs as inputs, and {rows} is below"
                f" {columns}: use orthogonal"
            )
        return law


def _require_matrix(geometry: Geometry) -> None:
    """Check that there are outputs and other axes, none of them empty.

    Raises:
        UnsuitableShape: There are not.
    """
    letters = geometry.letters if len(geometry.shape) > 1 or geometry.layout else ""
    if "O" not in letters or not set(letters) - {"O", "B"} or 0 in geometry.part_shape:
        raise UnsuitableShape(
            "orthogonal needs outputs and inputs, at least one of each: a matrix, a kernel, or a"
            " layout with O and I"
        )
