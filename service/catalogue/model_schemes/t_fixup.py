"""T-Fixup: transformers that train without layer normalization and without warmup.

Source: Huang et al. 2020, "Improving Transformer Optimization Through Better Initialization",
    section 3.2: https://proceedings.mlr.press/v119/huang20f.html
    Its steps scale "input embeddings x and y in encoder and decoder by (9N)^(-1/4)": embeddings of
    every stack, so an encoder alone has it too. The authors' code leaves queries and keys at a gain
    of 1/sqrt 2, where the paper says Xavier.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from service.catalogue.model_schemes.model_scheme import Arranged
from service.catalogue.model_schemes.role import BLOCK, RESIDUAL, SCALED, Placed, StackName, Whole
from service.catalogue.schemes import Normal, Scheme, Xavier
from service.numerics.exact import power

_QUARTER = Fraction(1, 4)


@dataclass(frozen=True, slots=True)
class TFixup:
    """Xavier scaled by 0.67 N^(-1/4) in encoders, (9N)^(-1/4) in decoders; small embeddings."""

    formula: ClassVar[str] = "gain = 0.67 N^(-1/4), (9N)^(-1/4); embeddings d^(-1/2) (9N)^(-1/4)"
    source: ClassVar[str] = "https://proceedings.mlr.press/v119/huang20f.html"
    scheme: Literal["t_fixup"] = "t_fixup"

    def arrange(self, whole: Whole) -> Arranged:
        """Return Xavier inits, and normal ones for embeddings.

        Raises:
            SchemeError: The model has no blocks of attention or feed-forward layers.
        """
        whole.having(BLOCK, self.scheme)
        gains: dict[StackName, float] = {}
        for stack, blocks in whole.depths.items():
            is_encoder = stack == "encoder"
            base, times = (blocks, Fraction("0.67")) if is_encoder else (9 * blocks, Fraction(1))
            gains[stack] = power(base, -_QUARTER, times)
        widths = {w.fan_out for w in whole.weights if w.role.name in RESIDUAL}
        return Arranged([_init(weight, gains, whole, widths) for weight in whole.weights])


def _init(weight: Placed, gains: dict[StackName, float], whole: Whole, widths: set[int]) -> Scheme:
    name, _, stack, *_ = weight.role
    # T5's relative positions are a table too, but of the softmax: as wide as there are heads.
    if name == "embedding" or (name == "position" and weight.fan_in in widths):
        blocks = whole.depths.get(stack, max(whole.depths.values()))
        # d^(-1/2) (9N)^(-1/4) under one root, so that it is rounded once.
        return Normal(std=power(9 * blocks * weight.fan_in**2, -_QUARTER))
    if name in ("vector", "position"):
        return weight.own
    return Xavier(gain=gains[stack] if name in SCALED else 1.0)
