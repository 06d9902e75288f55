"""Depth-scaled initialization (DS-Init): the deeper a layer, the less it adds to the variance.

Source: Zhang, Titov & Sennrich 2019, "Improving Deep Transformer with Depth-Scaled Initialization
    and Merged Attention", section 4.1: https://arxiv.org/abs/1908.11365
    The authors' code divides the variance by sqrt(l), and so the bound by l^(1/4).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le

from service.catalogue.model_schemes.model_scheme import Arranged
from service.catalogue.model_schemes.role import Placed, Whole
from service.catalogue.schemes import Scheme, VarianceScaling
from service.errors import SchemeError
from service.numerics.exact import power


@dataclass(frozen=True, slots=True)
class DsInit:
    """Xavier uniform, its bound divided by the root of the depth l from 1 in each stack.

    Args:
        alpha: A factor on the bound; the paper has 1 at most.
        rule: ``paper``: l^(-1/2). ``code``: l^(-1/4).
    """

    formula: ClassVar[str] = "w ~ U(-b, b), b = sqrt(6 / (fan_in + fan_out)) alpha / sqrt(l)"
    source: ClassVar[str] = "https://arxiv.org/abs/1908.11365"
    alpha: Annotated[float, Ge(1e-6), Le(1e6)] = 1.0
    rule: Literal["paper", "code"] = "paper"
    scheme: Literal["ds_init"] = "ds_init"

    def arrange(self, whole: Whole) -> Arranged:
        """Return uniform inits for the matrices of blocks.

        Raises:
            SchemeError: The model has no blocks.
        """
        if not whole.depths:
            raise SchemeError("ds_init needs blocks: take a model, or layers that declare a depth")
        exponent = Fraction(-1) if self.rule == "paper" else Fraction(-1, 2)
        squared = Fraction(self.alpha) ** 2
        depths = {w.role.depth for w in whole.weights if w.is_matrix and w.role.depth}
        scales = {depth: power(depth, exponent, squared) for depth in depths}
        return Arranged([_init(weight, scales) for weight in whole.weights])


def _init(weight: Placed, scales: dict[int, float]) -> Scheme:
    if not weight.is_matrix or not weight.role.depth:
        return weight.own
    return VarianceScaling(scales[weight.role.depth], "fan_avg", "uniform")
