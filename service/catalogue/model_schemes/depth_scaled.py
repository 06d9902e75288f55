"""Depth-scaled stds of torchtitan and OLMo: the deeper a block, the less its branches add.

Sources:
    torchtitan, Llama 3: https://github.com/pytorch/torchtitan
    OLMo-core, ``llama_depth``, the same but for cuts at 3 sigma: https://github.com/allenai/OLMo-core
    torchtitan cuts the others at the values -2 and 2, which at a std of 0.02 cuts nothing.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from service.catalogue.model_schemes.model_scheme import Arranged
from service.catalogue.model_schemes.role import RESIDUAL, Branch, Placed, Whole
from service.catalogue.schemes import Normal, Scheme, TruncatedNormal
from service.catalogue.schemes.scheme import Positive
from service.numerics.exact import power

_HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class DepthScaled:
    """Normal; output projections and the up half of a gated layer divided by sqrt(2 (l + 1)).

    Args:
        std: Standard deviation of the other matrices.
    """

    formula: ClassVar[str] = "std / sqrt(2 (l + 1)), l from 0; embeddings 1; head d^(-1/2), cut"
    source: ClassVar[str] = "https://github.com/pytorch/torchtitan"
    std: Positive = 0.02
    scheme: Literal["depth_scaled"] = "depth_scaled"

    def arrange(self, whole: Whole) -> Arranged:
        """Return normal inits, the head's cut at 3 sigma.

        Raises:
            SchemeError: The model has no output projections in blocks.
        """
        blocks = whole.having(RESIDUAL | {"ffn_in"}, self.scheme)
        scaled = {id(weight) for branch in whole.branches for weight in _scaled(branch)}
        depths = {weight.role.depth for weight in blocks}
        stds = {depth: power(2 * depth, -_HALF, Fraction(self.std)) for depth in depths}

        def init(weight: Placed) -> Scheme:
            if not weight.is_matrix:
                return weight.own
            if weight.role.name == "embedding":
                return Normal(std=1.0)
            if weight.role.name == "head":
                return TruncatedNormal(std=power(weight.fan_in, -_HALF), bounds=(-3.0, 3.0))
            return Normal(std=stds[weight.role.depth] if id(weight) in scaled else self.std)

        return Arranged([init(weight) for weight in whole.weights])


def _scaled(branch: Branch) -> list[Placed]:
    """Return the output projection, and the feed-forward inputs behind the first one, the gate."""
    inputs = [weight for weight in branch if weight.role.name == "ffn_in"]
    return [branch[-1], *inputs[1:]] if branch[-1].role.name in RESIDUAL else []
