"""ZerO: no randomness; an identity where channels stay or shrink, Hadamard where they grow.

Source: Zhao, Schaefer & Anandkumar 2021, algorithm 1: https://arxiv.org/abs/2110.12661
    The paper scales Hadamard matrices by 2^(-(m-1)/2), the authors' code by 2^(-m/2).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from service.catalogue.distributions import Delta, Distribution, Hadamard
from service.errors import UnsuitableShape
from service.numerics.exact import power
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Zero:
    """Partial identity; if there are more outputs than inputs, part of a scaled Hadamard matrix.

    In convolutions it is at the centre tap (k // 2), with zeros elsewhere.

    Args:
        scale: ``code``: 2^(-m/2), which keeps lengths, as the authors' programs do. ``paper``:
            2^(-(m-1)/2), as their algorithm 1 says. m = ceil(log2 outputs).
    """

    formula: ClassVar[str] = "W = I*, or 2^(-m/2) I* H_m I* where outputs outnumber inputs"
    source: ClassVar[str] = "https://arxiv.org/abs/2110.12661"
    scale: Literal["code", "paper"] = "code"
    scheme: Literal["zero"] = "zero"

    def resolve(self, geometry: Geometry) -> Distribution:
        """Return the law for a matrix or a kernel.

        Raises:
            UnsuitableShape: Not one axis of outputs and one of inputs.
        """
        letters = geometry.letters if len(geometry.shape) > 1 else ""
        if letters.count("O") != 1 or letters.count("I") != 1 or "B" in letters:
            raise UnsuitableShape(
                "zero needs one axis of outputs, one of inputs and none of batches: a matrix or a"
                " convolution's kernel"
            )
        out_axis, in_axis = letters.index("O"), letters.index("I")
        outputs, inputs = (geometry.part_shape[axis] for axis in (out_axis, in_axis))
        if outputs <= inputs:
            return Delta(1.0, geometry, out_axis, in_axis)
        m = (outputs - 1).bit_length()
        exponent = m if self.scale == "code" else m - 1
        return Hadamard(power(2, Fraction(-exponent, 2)), geometry, out_axis, in_axis)
