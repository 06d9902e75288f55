"""Dirac: a convolution that starts as the identity.

Source: Zagoruyko & Komodakis 2017, "DiracNets", section 2: https://arxiv.org/abs/1706.00388
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge

from service.catalogue.distributions import Delta, Distribution
from service.catalogue.schemes.scheme import Number
from service.errors import UnsuitableShape
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Dirac:
    """``gain`` at the centre tap (k // 2) of output i, input i; 0 elsewhere.

    Args:
        gain: Value at the centre.
        groups: Groups of the convolution; the outputs of each repeat the identity.
    """

    formula: ClassVar[str] = "w[o, i, centre] = gain if o mod (O / groups) = i else 0"
    source: ClassVar[str] = "https://arxiv.org/abs/1706.00388"
    gain: Number = 1.0
    groups: Annotated[int, Ge(1)] = 1
    scheme: Literal["dirac"] = "dirac"

    def resolve(self, geometry: Geometry) -> Distribution:
        """Return the law for a convolution's kernel.

        Raises:
            UnsuitableShape: Not three to five axes with one ``O`` and one ``I``, or the outputs do
                not fall into equal groups.
        """
        rank = len(geometry.shape)
        letters = geometry.letters if 3 <= rank <= 5 else ""
        if letters.count("O") != 1 or letters.count("I") != 1 or "B" in letters:
            raise UnsuitableShape(
                "dirac needs 3 to 5 axes, one of them O, one I and none B, and this tensor has"
                f" {rank} ({letters or 'too few or too many'})"
            )
        out_axis = letters.index("O")
        outputs = geometry.part_shape[out_axis]
        if outputs % self.groups:
            raise UnsuitableShape(f"{outputs} outputs do not fall into {self.groups} equal groups")
        return Delta(self.gain, geometry, out_axis, letters.index("I"), self.groups)
